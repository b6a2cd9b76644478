//! Repeats the lines that are typed at its terminal, and tells the terminal's size, at
//! the start and when it changes. The line `end` ends it; `flood` makes it write a lot.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;
use fata_boot::{Env, TerminalError};
use fata_console::{Console, Size, Terminal};
use fata_task::{Either, select};

/// Longer lines are repeated in parts.
const LONGEST_LINE: usize = 1024;
/// Lines that `flood` makes it write.
const FLOOD: usize = 2_000;

fata_boot::main!(app, heap = LinkedList);

async fn app(env: Env) -> Result<(), TerminalError> {
    let terminal = env.terminal()?;
    tell(&terminal, terminal.size()).await;
    let (mut line, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match select(terminal.read(&mut buffer), terminal.resized()).await {
            Either::First(0) => break,
            Either::First(count) => line.extend_from_slice(&buffer[..count]),
            Either::Second(size) => tell(&terminal, size).await,
        }
        while let Some(end) = end_of_line(&line) {
            let rest = line.split_off(end);
            let typed = core::mem::replace(&mut line, rest);
            match typed.trim_ascii() {
                b"end" => {
                    terminal.write_all(b"the end\r\n").await;
                    terminal.flush().await;
                    return Ok(());
                }
                b"flood" => flood(&terminal).await,
                text => terminal.write_all(&[b"> ", text, b"\r\n"].concat()).await,
            }
        }
    }
    Ok(())
}

/// Where the first line ends, if it is complete or too long.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    end.map(|end| end + 1)
        .or((bytes.len() >= LONGEST_LINE).then_some(LONGEST_LINE))
}

async fn tell(terminal: &impl Terminal, size: Option<Size>) {
    let text = match size {
        Some(size) => format!("the terminal has {size}\r\n"),
        None => "the terminal has no size\r\n".into(),
    };
    terminal.write_all(text.as_bytes()).await;
}

async fn flood(terminal: &impl Terminal) {
    for number in 0..FLOOD {
        let line = format!("line {number}\r\n");
        terminal.write_all(line.as_bytes()).await;
    }
}
