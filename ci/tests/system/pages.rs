//! `site` serves its pages, the same everywhere.

use crate::support::MICROVM;
use fata_ci::{
    Client, Lab, Launch, Machine, Network, Platform, Program, Tree, run, succeed, target_folder,
    workspace,
};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

const LISTENING: &str = "listening";

fn site(lab: &Lab, platform: Platform) -> (Program, IpAddr) {
    let (program, address) = Launch::new("site", platform).start_in(lab);
    program.wait_for(LISTENING);
    (program, address)
}

fn content() -> Tree {
    Tree::read(&workspace().join("examples/applications/site/content"))
}

/// The URL path of a file: a folder's index is the folder.
fn url_path(file: &Path) -> String {
    let path = file.to_str().expect("names in the tests are UTF-8");
    path.strip_suffix("index.html").unwrap_or(path).to_owned()
}

fn curl(url: &str, options: &[&str]) -> Vec<u8> {
    succeed(
        "curl",
        ["--silent", "--show-error", "--fail", url]
            .iter()
            .chain(options),
    )
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn every_page_is_the_same_everywhere() {
    let content = content();
    assert!(
        content.count() >= 5,
        "{} files are hardly a site",
        content.count()
    );
    for platform in Platform::ALL {
        let lab = Lab::enter();
        let (_program, address) = site(&lab, platform);
        assert_serves(address, &content);
    }
}

#[track_caller]
fn assert_serves(address: IpAddr, content: &Tree) {
    for (name, bytes) in content.files() {
        let url = format!("http://{address}/{}", url_path(name));
        assert!(curl(&url, &[]) == bytes, "{url} differs from its file");
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn four_mebibytes_are_enough() {
    for machine in Machine::ALL {
        let lab = Lab::enter();
        let (program, address) = Launch::new("site", Platform::Machine(machine))
            .memory(4)
            .start_in(&lab);
        program.wait_for(LISTENING);
        assert_serves(address, &content());
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn pages_come_over_http_as_browsers_ask_for_them() {
    let lab = Lab::enter();
    let (_program, address) = site(&lab, MICROVM);
    let mut client = Client::connect(address, 80).expect("the site accepts");
    let page = client.get("/").expect("the site answers");
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );

    let head = client.request("HEAD", "/", "").expect("HEAD is answered");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        Some(page.body.len().to_string().as_str())
    );

    let tag = page.header("etag").expect("a page has an entity tag");
    let lines = format!("If-None-Match: {tag}\r\n");
    let unchanged = client
        .request("GET", "/", &lines)
        .expect("the site answers");
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let changed = client.request("GET", "/", "If-None-Match: \"other\"\r\n");
    assert_eq!(changed.expect("the site answers").body, page.body);

    let part = client
        .request("GET", "/", "Range: bytes=5-14\r\n")
        .expect("the site answers");
    assert_eq!((part.status, &part.body[..]), (206, &page.body[5..15]));
    let beyond = client
        .request("GET", "/", "Range: bytes=99999999-\r\n")
        .expect("it answers");
    assert_eq!(beyond.status, 416);

    let missing = client.get("/no/such/page").expect("the site answers");
    assert_eq!(missing.status, 404);
    assert!(
        missing
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    let escape = client.get("/../../etc/passwd").expect("the site answers");
    assert!(matches!(escape.status, 400 | 404), "{}", escape.head);
    let post = client
        .request("POST", "/", "Content-Length: 0\r\n")
        .expect("the site answers");
    assert_eq!(post.status, 405);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn clean_urls_find_the_index_of_a_folder() {
    let content = content();
    let folder = content
        .files()
        .find_map(|(name, _)| name.to_str()?.strip_suffix("/index.html"))
        .expect("the site has a page in a folder of its own");
    let lab = Lab::enter();
    let (_program, address) = site(&lab, Platform::Process);
    let with_slash = curl(&format!("http://{address}/{folder}/"), &[]);
    let without = curl(&format!("http://{address}/{folder}"), &["--location"]);
    assert!(!with_slash.is_empty() && with_slash == without);
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn requests_are_logged() {
    let lab = Lab::enter();
    let (program, address) = site(&lab, MICROVM);
    run(
        "curl",
        ["--silent", &format!("http://{address}/no/such/page")],
    );
    let log = program.wait_until("an access log", |text| {
        text.lines()
            .any(|line| line.contains("/no/such/page") && line.contains("404"))
    });
    assert!(
        log.contains("198.51.100.1"),
        "the client is not in the log:\n{log}"
    );
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn the_port_is_an_argument() {
    let lab = Lab::enter();
    let (program, address) = Launch::new("site", Platform::Process)
        .arguments(["--port=8080"])
        .start_in(&lab);
    program.wait_for(LISTENING);
    assert!(!curl(&format!("http://{address}:8080/"), &[]).is_empty());
    assert!(
        Client::connect(address, 80).is_err(),
        "it must not listen on port 80 too"
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn dhcp_gives_an_address_on_every_machine() {
    // The lab keeps the forwarded port apart from other tests; its tap is not used.
    let _lab = Lab::enter();
    for (machine, port) in Machine::ALL.into_iter().zip(8080..) {
        let launch = Launch::new("site", Platform::Machine(machine)).network(Network::User(port));
        let program = launch.start();
        program.wait_for("10.0.2.15");
        program.wait_for(LISTENING);
        assert!(!curl(&format!("http://127.0.0.1:{port}/"), &[]).is_empty());
    }
}

/// A folder of the test's own that is removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = target_folder()
            .join("ci")
            .join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the target folder can be written");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is only in the way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// ci/build-images makes a folder of real documentation, and images of `site` with it.
fn assert_mirror_equals_documentation(platform: Platform, file: &str) {
    let folder = target_folder().join("ci/documentation");
    let original = Tree::read(&folder);
    assert!(original.count() >= 500, "only {} files", original.count());
    let lab = Lab::enter();
    let launch = Launch::new("site", platform)
        .file(&target_folder().join("ci").join(file))
        .memory(256);
    let (program, address) = launch.arguments(["--log=warn"]).start_in(&lab);
    wait_for_port(&program, address);
    let scratch = Scratch::new(file);
    let prefix = scratch.0.to_str().expect("paths in the tests are UTF-8");
    // Status 8 is expected: documentation refers to pages that are not part of it.
    let output = run(
        "wget",
        [
            "--no-verbose",
            "--recursive",
            "--level=inf",
            "--no-host-directories",
            "--execute=robots=off",
            "--tries=1",
            // Queries are for scripts in the pages; they lead to the same files again.
            "--reject-regex=[?]",
            "--directory-prefix",
            prefix,
            &format!("http://{address}/"),
            &format!("http://{address}/all-files.html"),
        ],
    );
    assert!(
        matches!(output.status.code(), Some(0 | 8)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let differences = original.differences(&Tree::read(&scratch.0));
    assert!(
        differences.is_empty(),
        "{} differences: {differences:#?}",
        differences.len()
    );
}

/// With little logging nothing says that the site listens; its port does.
fn wait_for_port(program: &Program, address: IpAddr) {
    let deadline = std::time::Instant::now() + fata_ci::PATIENCE;
    while Client::connect(address, 80).is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "no server:\n{}",
            program.text()
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_mirror_of_real_documentation_from_a_machine_is_equal() {
    assert_mirror_equals_documentation(MICROVM, "site-documentation.elf");
}

#[test]
#[ignore = "runs a process; ci/test runs it"]
fn a_mirror_of_real_documentation_from_a_process_is_equal() {
    assert_mirror_equals_documentation(Platform::Process, "site-documentation");
}
