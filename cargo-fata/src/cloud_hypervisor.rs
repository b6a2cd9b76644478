//! Cloud Hypervisor's command line.

use std::ffi::OsString;
use std::path::Path;

use crate::arguments;
use crate::monitor::Machine;

/// Name of the program.
pub const PROGRAM: &str = "cloud-hypervisor";

/// Cloud Hypervisor's arguments for a machine that boots `image` with the program's arguments.
pub fn command_line(
    machine: &Machine,
    image: &Path,
    program_arguments: &[String],
) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["--kernel".into(), image.into()];
    let mut option = |name: &str, value: String| {
        line.push(name.into());
        line.push(value.into());
    };
    option("--cmdline", arguments::join(program_arguments));
    option("--cpus", "boot=1".into());
    option("--memory", format!("size={}M", machine.memory));
    if let Some(nic) = &machine.nic {
        let mac = nic.mac.as_ref().map(|mac| format!(",mac={mac}"));
        option(
            "--net",
            format!("tap={}{}", nic.interface, mac.unwrap_or_default()),
        );
    }
    option("--serial", "tty".into());
    option("--console", "off".into());
    line
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::command_line;
    use crate::monitor::tests::machine;
    use crate::shell;

    #[test]
    fn options_reach_the_command_line() {
        let line = |words| {
            let arguments = ["--hello".to_owned(), "a b".to_owned()];
            let machine = machine(words).unwrap();
            shell::line(command_line(&machine, Path::new("a.elf"), &arguments))
        };
        let start = r#"--kernel a.elf --cmdline '--hello "a b"' --cpus boot=1 "#;
        assert_eq!(
            line(""),
            format!("{start}--memory size=32M --serial tty --console off")
        );
        assert_eq!(
            line("--memory 1G --net tap=tap0 --mac 52:54:00:00:00:01"),
            format!(
                "{start}--memory size=1024M --net tap=tap0,mac=52:54:00:00:00:01 --serial tty --console off"
            )
        );
        assert!(line("--net tap=tap0").contains(" --net tap=tap0 "));
    }
}
