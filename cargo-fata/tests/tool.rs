//! Drives the tool as a user does, on a small workspace and with a script in QEMU's place.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sha2::{Digest, Sha256};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A copy of `tests/fixture` and a folder for programs, both of which go when the test ends.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    /// Checks that a command is refused before anything is built, with none of the host's programs
    /// at hand.
    #[track_caller]
    fn refuses(&self, words: &str, status: i32, hint: &str) {
        let mut command = self.tool(words);
        let command = command.env("PATH", self.folder.path().join("bin"));
        let output = command.output().unwrap();
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{words}: {messages}");
        assert!(messages.contains(hint), "{words}: {messages}");
        assert!(!self.path("target").exists());
    }

    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture"),
            &folder.path().join("work"),
        );
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Puts a shell script in QEMU's place. It is not asked whether KVM works.
    fn install_qemu(&self, script: &str) {
        let script = format!("case \"$*\" in *-bios*) exit 1;; esac\n{script}");
        self.install("qemu-system-x86_64", &script);
    }

    /// Puts a shell script in a program's place.
    fn install(&self, name: &str, script: &str) {
        let program = self.folder.path().join("bin").join(name);
        let script = format!("#!/bin/sh\n{script}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn tool(&self, arguments: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::env::split_paths(&path).collect::<Vec<_>>();
        let folders = [self.folder.path().join("bin")].into_iter().chain(folders);
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fata"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path("app"))
            .env("CARGO", env!("CARGO"))
            .env("PATH", std::env::join_paths(folders).unwrap())
            .stdin(Stdio::null());
        for name in ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.tool(arguments).output().unwrap()
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn build_leaves_image_and_symbols() {
    let workspace = Workspace::new();
    let output = workspace.run("fata build");
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let image = fs::metadata(workspace.path("target/fata/app.elf")).unwrap();
    let symbols = fs::metadata(workspace.path("target/fata/app.debug")).unwrap();
    assert!(image.len() < 5 * 1024, "{}", image.len());
    assert!(symbols.len() > image.len());
    let last = messages.lines().last().unwrap();
    let hint = " KiB in memory; `cargo fata inspect app` says what is in it";
    assert!(
        last.contains("target/fata/app.elf: 5 KiB, ") && last.ends_with(hint),
        "{last}"
    );
    // Nothing but images is left there.
    let names = fs::read_dir(workspace.path("target/fata")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["app.debug", "app.elf", "stubs"]);
}

#[test]
fn programs_that_cannot_boot_are_refused() {
    let workspace = Workspace::new();
    for (cfg, reason) in [
        ("calls_libc", "undefined symbol: getpid"),
        ("without_note", "fata_boot::main!"),
    ] {
        let output = workspace
            .tool("build")
            .env("RUSTFLAGS", format!("--cfg {cfg}"))
            .output()
            .unwrap();
        let messages = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{messages}");
        assert!(messages.contains(reason), "{messages}");
        assert!(!workspace.path("target/fata/app.elf").exists());
    }
}

#[test]
fn run_explains_addresses_and_returns_the_guests_status() {
    let workspace = Workspace::new();
    workspace.install_qemu(
        r#"printf '<%s>\n' "$@"
           printf '  ip 0x0000000000101000\r\n  ip 0x0000000000100000\r\n'
           printf '  at 0x0000000000000001\r\nno line end'
           exit 39"#,
    );
    let output = workspace.run("run app --machine pc --publish 8080:80 -- --hello a\\b");
    let console = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{console}{}",
        text(&output.stderr)
    );
    for argument in [
        "<pc>",
        "<user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80>",
        r#"<--hello "a\\b">"#,
    ] {
        assert!(console.contains(argument), "{console}");
    }
    let (_, report) = console.split_once("  ip ").unwrap();
    let lines: Vec<&str> = report.split("\r\n").collect();
    // The second function has nothing inlined, which leaves it out of the debug information.
    for (line, place) in lines.iter().zip([
        "0x0000000000101000 fata_boot::vm::outer (",
        "  ip 0x0000000000100000 _start (",
    ]) {
        assert!(line.starts_with(place), "{report}");
        assert!(line.contains("/boot/src/vm.rs:"), "{report}");
    }
    assert_eq!(lines[2..], ["  at 0x0000000000000001", "no line end"]);
}

#[test]
fn a_machine_without_status_has_failed() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 0");
    let output = workspace.run("run");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(
        "fata: the machine stopped without a status (triple fault, reset or power-off?)\n"
    ));
    let report = crash_report(&workspace, &output);
    assert!(
        report.starts_with("app 0.1.0 crashed: the machine stopped"),
        "{report}"
    );
    assert!(
        report.ends_with("console, the last 0 lines:\n\n"),
        "{report}"
    );
}

/// The report whose path the tool wrote last.
fn crash_report(workspace: &Workspace, output: &Output) -> String {
    let messages = text(&output.stderr);
    let last = messages.lines().last().unwrap_or_default();
    let path = last.strip_prefix("fata: a report of the crash is in ");
    let path = path.unwrap_or_else(|| panic!("no report:\n{messages}"));
    fs::read_to_string(workspace.path("app").join(path)).unwrap()
}

#[test]
fn a_crash_leaves_a_report() {
    let workspace = Workspace::new();
    // Status 101, as a panic leaves it.
    workspace.install_qemu(
        r#"printf 'fata: page fault\r\n  ip 0x0000000000101000\r\n'
           exit 235"#,
    );
    let output = workspace.run("run app -- --port 80");
    assert_eq!(output.status.code(), Some(101));
    let report = crash_report(&workspace, &output);
    let image = fs::read(workspace.path("target/fata/app.elf")).unwrap();
    let sha256: String = Sha256::digest(image)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for words in [
        "app 0.1.0 crashed: a panic",
        &sha256,
        "status     101\n",
        "arguments  --port 80\n",
        "qemu-system-x86_64 -nodefaults ",
        "fata: page fault\n  ip 0x0000000000101000 fata_boot::vm::outer (",
        "/boot/src/vm.rs:",
    ] {
        assert!(report.contains(words), "no {words:?}:\n{report}");
    }
    // What the program chose is no crash.
    workspace.install_qemu("exit 39");
    workspace.run("run");
    let crashes = fs::read_dir(workspace.path("target/fata/crashes")).unwrap();
    assert_eq!(crashes.count(), 1);
}

#[test]
fn inspect_says_what_an_image_is() {
    let workspace = Workspace::new();
    let output = workspace.run("inspect");
    assert_eq!(output.status.code(), Some(1));
    let messages = text(&output.stderr);
    assert!(
        messages.contains("`cargo fata build app` makes it"),
        "{messages}"
    );
    assert!(workspace.run("build").status.success());
    let image = "../target/fata/app.elf";
    for arguments in ["inspect", "inspect app", &format!("inspect {image}")] {
        let said = text(&workspace.run(arguments).stdout);
        for words in [
            "app 0.1.0\n",
            "PVH, entered at 0x100000\n",
            "2 crates in the image\n",
            "fata-boot 0.1.0 (local)          MIT\n",
            "bytes by crate",
        ] {
            assert!(said.contains(words), "no {words:?} by {arguments}:\n{said}");
        }
    }
    let json = |file: &str| {
        let output = workspace.run(&format!("inspect --json {file}"));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (whole, symbols) = (json(image), json("../target/fata/app.debug"));
    assert_eq!(whole["crates"][1]["name"], "fata-boot");
    assert_eq!(whole["crates"], symbols["crates"]);
    assert_eq!(whole["sizes"], symbols["sizes"]);
    // Symbols of another build are not those of this image.
    fs::copy(
        workspace.path("target/fata/app.elf"),
        workspace.path("old.elf"),
    )
    .unwrap();
    fs::write(workspace.path("old.debug"), "no symbols").unwrap();
    let old = json("../old.elf");
    assert!(old["sizes"].is_null());
    assert_eq!(old["segments"], whole["segments"]);
}

#[test]
fn inspect_refuses_what_is_no_image() {
    let workspace = Workspace::new();
    for (file, reason) in [
        ("Cargo.toml", "it is no ELF file"),
        ("/proc/self/exe", "it has no section .fata.manifest"),
        ("../none.elf", "No such file"),
        (".", "Is a directory"),
    ] {
        let output = workspace.run(&format!("inspect {file}"));
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let messages = text(&output.stderr);
        assert!(messages.contains(reason), "{messages}");
    }
}

#[test]
fn the_same_sources_elsewhere_make_the_same_image() {
    let images = [0, 1].map(|_| {
        let workspace = Workspace::new();
        assert!(workspace.run("build").status.success());
        fs::read(workspace.path("target/fata/app.elf")).unwrap()
    });
    assert!(images[0] == images[1]);
}

#[test]
fn run_as_a_process_passes_arguments_and_status() {
    let workspace = Workspace::new();
    let output = workspace.run("run --vmm process -- --port 80");
    assert_eq!(text(&output.stdout), "[\"--port\", \"80\"]\n");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_missing_qemu_is_named_before_anything_is_built() {
    let workspace = Workspace::new();
    let output = workspace
        .tool("run")
        .env("PATH", workspace.folder.path().join("bin"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(text(&output.stderr).contains("apt-get install qemu-system-x86"));
    assert!(!workspace.path("target").exists());
}

/// A machine that runs until it is stopped: the tool, and the process of the machine.
fn endless(workspace: &Workspace, script: &str) -> (Child, Pid) {
    workspace.install_qemu(script);
    let mut tool = workspace
        .tool("run")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(tool.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let machine = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    (tool, machine)
}

/// Whether the process ends; one that is dead but not yet collected has ended.
fn ends(process: Pid) -> bool {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let is_dead = fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "));
        if is_dead || test_kill_process(process).is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn signals_end_the_machine_and_then_the_tool() {
    let workspace = Workspace::new();
    // The second machine does not listen.
    for script in [
        "echo $$; exec sleep 1000",
        "trap '' TERM; echo $$; while :; do sleep 0.1; done",
    ] {
        for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let (mut tool, machine) = endless(&workspace, script);
            kill_process(Pid::from_child(&tool), signal).unwrap();
            assert_eq!(tool.wait().unwrap().code(), Some(status));
            assert!(ends(machine));
        }
    }
}

#[test]
fn the_machine_does_not_outlive_a_killed_tool() {
    let workspace = Workspace::new();
    let (mut tool, machine) = endless(&workspace, "echo $$; exec sleep 1000");
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(ends(machine));
}

#[test]
fn input_reaches_the_machine_and_its_prompt_appears_at_once() {
    use std::io::Write;
    let workspace = Workspace::new();
    workspace.install_qemu("printf 'name? '; read name; echo \"hello $name\"; exit 33");
    let mut tool = workspace
        .tool("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut console = tool.stdout.take().unwrap();
    let mut prompt = [0; 6];
    console.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"name? ");
    tool.stdin.take().unwrap().write_all(b"Fata\n").unwrap();
    let mut rest = String::new();
    console.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "hello Fata\n");
    assert!(tool.wait().unwrap().success());
}

#[test]
fn a_machine_too_small_for_the_image_is_not_started() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 33");
    let output = workspace.run("run --memory 1M");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it takes --memory 10"));
    assert!(workspace.run("run --memory 2M").status.success());
}

#[test]
fn new_refuses_a_bad_name() {
    let workspace = Workspace::new();
    let output = workspace.run("fata new 1st");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: `1st` is not a name for a package: it has to start with a letter\n"
    );
    assert!(!workspace.path("app/1st").exists());
}

#[test]
fn other_monitors_are_configured_without_being_there() {
    let workspace = Workspace::new();
    let options = "--dry-run --memory 16M --net tap=tap0 -- --port 80";
    let output = workspace.run(&format!("run --vmm firecracker {options}"));
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let file = workspace.path("target/fata/app.firecracker.json");
    let command = format!("firecracker --no-api --config-file {}", file.display());
    assert!(messages.contains(&command), "{messages}");
    assert_eq!(
        text(&output.stdout).trim_end(),
        fs::read_to_string(file).unwrap()
    );
    let configuration = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    assert_eq!(configuration["machine-config"]["mem_size_mib"], 16);
    let image = workspace.path("target/fata/app.elf");
    assert_eq!(
        configuration["boot-source"]["kernel_image_path"],
        image.to_str().unwrap()
    );

    let output = workspace.run(&format!("run --vmm cloud-hypervisor {options}"));
    let expected = format!(
        "cloud-hypervisor --kernel {} --cmdline '--port 80' --cpus boot=1 --memory size=16M \
         --net tap=tap0 --serial tty --console off\n",
        image.display()
    );
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn a_dry_run_of_qemu_starts_nothing() {
    let workspace = Workspace::new();
    workspace.install_qemu("exit 39");
    let output = workspace.run("run --dry-run -- --hello a\\b");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = text(&output.stdout);
    assert!(
        line.starts_with("qemu-system-x86_64 -nodefaults "),
        "{line}"
    );
    assert!(line.ends_with(" -append '--hello \"a\\\\b\"'\n"), "{line}");
    let output = workspace.run("run --vmm process --dry-run");
    assert!(text(&output.stderr).contains("--dry-run means nothing there"));
}

#[test]
fn what_a_monitor_cannot_do_is_said_before_anything_is_built() {
    let workspace = Workspace::new();
    for (words, status, hint) in [
        ("--vmm firecracker --publish 8080:80", 1, "--net tap=tap0"),
        ("--vmm cloud-hypervisor --net user", 1, "--net tap=tap0"),
        ("--vmm firecracker --machine q35", 1, "--vmm qemu"),
        ("--vmm cloud-hypervisor", 127, "--dry-run"),
    ] {
        workspace.refuses(&format!("run {words}"), status, hint);
    }
}

#[test]
fn a_monitor_is_started_where_kvm_is() {
    let workspace = Workspace::new();
    workspace.install("firecracker", "echo \"$1 $2\"; exit 7");
    let output = workspace.run("run --vmm firecracker");
    let kvm = fs::File::options().read(true).write(true).open("/dev/kvm");
    if kvm.is_ok() {
        assert_eq!(text(&output.stdout), "--no-api --config-file\n");
        assert_eq!(output.status.code(), Some(7));
    } else {
        let messages = text(&output.stderr);
        assert!(messages.contains("/dev/kvm cannot be opened"), "{messages}");
        assert!(messages.contains("--dry-run"), "{messages}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn what_an_image_needs_is_said_before_anything_is_built() {
    let workspace = Workspace::new();
    for (words, status, hint) in [
        ("--format iso", 127, "apt-get install grub-common"),
        ("--format raw", 127, "apt-get install grub-common"),
        (
            "--format elf -- --port 80",
            1,
            "no place for boot arguments",
        ),
        ("--format raw --port 80", 1, "--format oci"),
    ] {
        workspace.refuses(&format!("image {words}"), status, hint);
    }
}

#[test]
fn a_container_image_needs_no_other_program() {
    let workspace = Workspace::new();
    let output = workspace.run("image --format oci --port 80");
    let messages = text(&output.stderr);
    assert!(output.status.success(), "{messages}");
    assert!(workspace.path("target/fata/app.oci/index.json").is_file());
    let pod = fs::read_to_string(workspace.path("target/fata/app.pod.yaml")).unwrap();
    assert!(pod.contains("runtimeClassName: urunc"), "{pod}");
    assert!(pod.contains("containerPort: 80"), "{pod}");
    let elf = workspace.path("copy.elf");
    let output = workspace.run(&format!("image --format elf --output {}", elf.display()));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        fs::read(elf).unwrap(),
        fs::read(workspace.path("target/fata/app.elf")).unwrap()
    );
}
