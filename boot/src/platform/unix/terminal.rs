//! The terminal of a process: its standard input and output.

use super::signal::WindowChange;
use crate::{Env, TerminalError};
use alloc::rc::Rc;
use core::cell::OnceCell;
use fata_console::{Console, Size, Stdio};
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;

/// The standard input and output. Clones share them; one task at a time should wait for
/// a new size.
#[derive(Clone)]
pub struct Terminal {
    stdio: Stdio,
    change: Rc<WindowChange>,
}

/// The terminal once it was opened, and why it could not be. The sandbox opens it early.
pub(crate) type Opened = Rc<OnceCell<Result<Terminal, TerminalError>>>;

pub(crate) fn open(env: &Env) -> Result<Terminal, TerminalError> {
    env.terminal.get_or_init(|| start(env)).clone()
}

fn start(env: &Env) -> Result<Terminal, TerminalError> {
    let change = WindowChange::catch(&env.idler)
        .map_err(|error| TerminalError::Device(std::format!("cannot catch SIGWINCH: {error}")))?;
    Ok(Terminal {
        stdio: env.console(),
        change: Rc::new(change),
    })
}

impl Console for Terminal {
    fn write(&self, bytes: &[u8]) {
        self.stdio.write(bytes);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        self.stdio.read(buffer).await
    }
}

impl fata_console::Terminal for Terminal {
    async fn write_all(&self, bytes: &[u8]) {
        self.stdio.write_all(bytes).await;
    }

    async fn flush(&self) {}

    fn size(&self) -> Option<Size> {
        let size = tcgetwinsize(stdout()).ok()?;
        (size.ws_col > 0 && size.ws_row > 0).then_some(Size {
            columns: size.ws_col,
            rows: size.ws_row,
        })
    }

    async fn resized(&self) -> Option<Size> {
        self.change.wait().await;
        self.size()
    }
}
