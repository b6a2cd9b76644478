//! Static files, from the image and from a store that is read piece by piece.

mod common;

use common::{exchange, serve};
use fata_http::{
    Content, Error, File, FileEntry, FileServer, FileTable, Files, Handler, Router, Server,
};
use fata_task::{Handle, simulate, yield_now};

const fn entry(path: &'static str, content: &'static [u8], etag: &'static str) -> FileEntry {
    FileEntry {
        path,
        content,
        etag,
        modified: 1_700_000_000,
    }
}

static LARGE: [u8; 20_000] = [b'L'; 20_000];

static FILES: &[FileEntry] = &[
    entry("404.html", b"<p>lost", "\"404\""),
    entry("a b.txt", b"spaced", "\"space\""),
    entry("a:b%/c:d/index.html", b"", "\"colons\""),
    entry("about/index.html", b"<p>about", "\"about\""),
    entry("app.js", b"0123456789", "\"js\""),
    entry("app.js.br", b"<br>", "\"js-br\""),
    entry("app.js.gz", b"<gzip>", "\"js-gz\""),
    entry("empty", b"", "\"empty\""),
    entry("index.html", b"<p>home", "\"home\""),
    entry("large.bin", &LARGE, "\"large\""),
    entry("page.html", b"<p>page", "\"page\""),
];

/// The same files, without their bytes in the image.
struct Store;

struct Remote(&'static [u8]);

impl Files for Store {
    type Content = Remote;

    async fn find(&self, path: &str) -> Result<Option<File<Remote>>, Error> {
        yield_now().await;
        let found = Files::find(&FileTable::new(FILES), path).await?;
        Ok(found.map(|file| File {
            content: Remote(file.content),
            size: file.size,
            etag: file.etag,
            modified: file.modified,
        }))
    }
}

impl Content for Remote {
    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        yield_now().await;
        let length = buffer.len().min(777);
        self.0.read_at(offset, &mut buffer[..length]).await
    }
}

/// An answer: its head and its body.
#[derive(Debug, PartialEq)]
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn ask_of(handler: impl Handler + 'static, request: &str, fields: &str) -> Answer {
    let input = format!("{request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n");
    let answer = simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), handler);
        exchange(&tasks, &network, input.as_bytes()).await
    });
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap();
    Answer {
        head: String::from_utf8(answer[..end].to_vec()).unwrap(),
        body: answer[end + 4..].to_vec(),
    }
}

/// Asks both kinds of trees, which have to agree.
fn ask(request: &str, fields: &str) -> Answer {
    let one = ask_of(FileServer::new(FileTable::new(FILES)), request, fields);
    let other = ask_of(FileServer::new(Store), request, fields);
    assert_eq!(one, other, "{request}");
    one
}

#[test]
fn paths() {
    for (path, body, location) in [
        ("/", "<p>home", None),
        ("/index.html", "<p>home", None),
        ("/about/", "<p>about", None),
        ("/page", "<p>page", Some("/page.html")),
        ("/a%20b.txt", "spaced", None),
        ("/empty", "", None),
        ("http://h", "<p>home", None),
    ] {
        let answer = ask(&format!("GET {path}"), "");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.body, body.as_bytes(), "{path}");
        assert_eq!(answer.field("content-location"), location, "{path}");
        assert_eq!(answer.field("cache-control"), Some("no-cache"));
        assert_eq!(
            answer.field("last-modified"),
            Some("Tue, 14 Nov 2023 22:13:20 GMT")
        );
        let head = ask(&format!("HEAD {path}"), "");
        assert_eq!((head.head, head.body), (answer.head, Vec::new()), "{path}");
    }
    assert_eq!(ask("GET /large.bin", "").body, LARGE);
    assert_eq!(
        ask("GET /app.js", "").field("content-type"),
        Some("text/javascript; charset=utf-8")
    );
}

#[test]
fn folders_end_with_a_slash() {
    for (path, location) in [
        ("/about", "./about/"),
        ("/%61bout?x=/y&z", "./%61bout/?x=/y&z"),
        ("http://h/about?", "./about/?"),
        ("/a:b%25/c:d", "./c:d/"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&format!("{method} {path}"), "If-None-Match: *\r\n");
            assert_eq!(answer.status(), 301, "{path}");
            assert_eq!(answer.field("location"), Some(location), "{path}");
            assert_eq!(answer.field("content-location"), None, "{path}");
        }
    }
    // Nothing that a browser could take for a host.
    for path in ["//about", "/\\about", "/%5cabout", "/%2fabout", "//h/about"] {
        let answer = ask(&format!("GET {path}"), "");
        assert_eq!(
            (answer.status(), answer.field("location")),
            (404, None),
            "{path}"
        );
    }
    let app = Router::new().mount("/:user/*path", FileServer::new(FileTable::new(FILES)));
    let answer = ask_of(app, "GET /\\h/about", "");
    assert_eq!(answer.field("location"), Some("./about/"));
}

#[test]
fn no_way_out() {
    for path in [
        "/nothing",
        "/about/x",
        "/about//",
        "//",
        "//index.html",
        "/./index.html",
        "/../index.html",
        "/about/../index.html",
        "/%2e%2e/index.html",
        "/about%2Findex.html",
        "/about%2findex.html",
        "/about\\index.html",
        "/about%5cindex.html",
        "/..",
        "/.",
        "/index.html/",
        "/page.html/",
        "/about/.%2e/index.html",
        "/empty/",
        "/%5c..%5cindex.html",
    ] {
        let answer = ask(&format!("GET {path}"), "");
        assert_eq!(
            (answer.status(), &answer.body[..]),
            (404, &b"<p>lost"[..]),
            "{path}"
        );
        assert_eq!(
            answer.field("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.field("etag"), None);
    }
    assert_eq!(ask("GET /%00", "").status(), 400);
    static NONE: &[FileEntry] = &[];
    let plain = ask_of(FileServer::new(FileTable::new(NONE)), "GET /", "");
    assert_eq!(
        (plain.status(), &plain.body[..]),
        (404, &b"404 Not Found\n"[..])
    );
}

#[test]
fn methods() {
    let refused = ask("POST /", "Content-Length: 0\r\n");
    assert_eq!(
        (refused.status(), refused.field("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
    let options = ask("OPTIONS /", "");
    assert_eq!(
        (options.status(), options.field("allow")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn conditions() {
    let (same, before, after) = (
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:19 GMT",
        "Wed, 15 Nov 2023 00:00:00 GMT",
    );
    for (fields, expected) in [
        ("If-None-Match: \"js\"".to_string(), 304),
        ("If-None-Match: \"x\", W/\"js\"".to_string(), 304),
        (
            "If-None-Match: \"x\"\r\nIf-None-Match: \"js\"".to_string(),
            304,
        ),
        ("If-None-Match: *".to_string(), 304),
        ("If-None-Match: \"x\"".to_string(), 200),
        (
            format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {after}"),
            200,
        ),
        (format!("If-Modified-Since: {same}"), 304),
        (format!("If-Modified-Since: {after}"), 304),
        (format!("If-Modified-Since: {before}"), 200),
        ("If-Modified-Since: yesterday".to_string(), 200),
        ("If-Match: \"js\"".to_string(), 200),
        ("If-Match: *".to_string(), 200),
        ("If-Match: \"x\"".to_string(), 412),
        ("If-Match: W/\"js\"".to_string(), 412),
        (format!("If-Unmodified-Since: {same}"), 200),
        (format!("If-Unmodified-Since: {before}"), 412),
        (
            format!("If-Match: \"js\"\r\nIf-Unmodified-Since: {before}"),
            200,
        ),
    ] {
        let answer = ask("GET /app.js", &format!("{fields}\r\n"));
        assert_eq!(answer.status(), expected, "{fields}");
        if expected == 304 {
            assert_eq!(answer.field("etag"), Some("\"js\""));
            assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
            assert_eq!(answer.field("content-length"), None);
            assert!(answer.body.is_empty());
        }
    }
}

#[test]
fn ranges() {
    for (fields, expected, body, range) in [
        ("Range: bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("Range: bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("Range: bytes=0-99", 206, "0123456789", Some("bytes 0-9/10")),
        (
            "Range: bytes=10-",
            416,
            "416 Range Not Satisfiable\n",
            Some("bytes */10"),
        ),
        ("Range: bytes=0-1,4-5", 200, "0123456789", None),
        ("Range: nonsense", 200, "0123456789", None),
        (
            "Range: bytes=0-1\r\nIf-Range: \"js\"",
            206,
            "01",
            Some("bytes 0-1/10"),
        ),
        (
            "Range: bytes=0-1\r\nIf-Range: \"x\"",
            200,
            "0123456789",
            None,
        ),
        (
            "Range: bytes=0-1\r\nIf-Range: W/\"js\"",
            200,
            "0123456789",
            None,
        ),
        (
            "Range: bytes=0-1\r\nIf-Range: Tue, 14 Nov 2023 22:13:20 GMT",
            206,
            "01",
            Some("bytes 0-1/10"),
        ),
        (
            "Range: bytes=0-1\r\nIf-Range: Tue, 14 Nov 2023 22:13:21 GMT",
            200,
            "0123456789",
            None,
        ),
        ("Range: bytes=0-1\r\nIf-None-Match: \"js\"", 304, "", None),
        (
            "Range: bytes=0-1\r\nAccept-Encoding: gzip",
            206,
            "<g",
            Some("bytes 0-1/6"),
        ),
    ] {
        let answer = ask("GET /app.js", &format!("{fields}\r\n"));
        assert_eq!(answer.status(), expected, "{fields}");
        assert_eq!(String::from_utf8_lossy(&answer.body), body, "{fields}");
        assert_eq!(answer.field("content-range"), range, "{fields}");
    }
    assert_eq!(ask("HEAD /app.js", "Range: bytes=0-1\r\n").status(), 200);
    assert_eq!(
        ask("GET /large.bin", "Range: bytes=1-18000\r\n").body,
        LARGE[..18_000]
    );
}

#[test]
fn codings() {
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("zstd", None),
        ("*", Some("br")),
        ("br;q=0, *", Some("gzip")),
        ("br;q=0.5, gzip;q=0.8", Some("gzip")),
        ("br;q=0.5, gzip;q=0.5", Some("br")),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", Some("gzip")),
        ("gzip;q=0", None),
        ("identity", None),
        ("", None),
    ] {
        let answer = ask("GET /app.js", &format!("Accept-Encoding: {accepted}\r\n"));
        assert_eq!(answer.field("content-encoding"), coding, "{accepted}");
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"), "{accepted}");
        assert_eq!(
            answer.field("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        let body = coding.map_or("0123456789".to_string(), |coding| format!("<{coding}>"));
        assert_eq!(answer.body, body.as_bytes(), "{accepted}");
    }
    assert_eq!(ask("GET /", "Accept-Encoding: br\r\n").field("vary"), None);
}

#[test]
fn mounted_below_a_path() {
    let app = || {
        Router::new()
            .get("/docs/api", async |_| Ok(fata_http::Response::text("api")))
            .mount("/docs/*path", FileServer::new(FileTable::new(FILES)))
    };
    assert_eq!(ask_of(app(), "GET /docs/api", "").body, b"api");
    assert_eq!(ask_of(app(), "GET /docs/", "").body, b"<p>home");
    for (path, location) in [
        ("/docs/about", "./about/"),
        ("/docs", "./docs/"),
        ("/%64ocs?q", "./%64ocs/?q"),
    ] {
        let answer = ask_of(app(), &format!("GET {path}"), "");
        let found = (answer.status(), answer.field("location"));
        assert_eq!(found, (301, Some(location)), "{path}");
    }
    assert_eq!(ask_of(app(), "GET /docs/page", "").body, b"<p>page");
    assert_eq!(ask_of(app(), "GET /docs/../page.html", "").status(), 404);
    assert_eq!(ask_of(app(), "GET /page.html", "").status(), 404);
}

/// The crate that makes tables sorts them as the table wants them.
#[test]
fn finds_every_file_of_a_folder() {
    let folder = std::env::temp_dir().join(format!("fata-http-files-{}", std::process::id()));
    let names = [
        "a.txt",
        "a/b.txt",
        "a-b.txt",
        "a/b/c",
        "B",
        "\u{e9}.txt",
        "a b",
        "index.html",
        "0",
    ];
    for name in names.iter().filter(|name| **name != "a/b/c") {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let expression = fata_http_build::expression(&folder).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let entries: Vec<_> = expression
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .map(|path| entry(path.to_string().leak(), b"", "\"\""))
        .collect();
    assert_eq!(entries.len(), names.len() - 1);
    let table = FileTable::new(entries.leak());
    simulate(async |_: Handle| {
        for name in names {
            let found = Files::find(&table, name).await.unwrap();
            assert_eq!(found.is_some(), name != "a/b/c", "{name}");
        }
    });
}
