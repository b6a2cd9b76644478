use crate::coding::{CODINGS, Coding, weight};
use crate::conditional::{Outcome, Part, Validators, evaluate, part};
use crate::files::{File, Files};
use crate::handler::Handler;
use crate::mime::media_type;
use crate::syntax::percent_decode;
use crate::{Error, Method, Request, Response, Status, pattern};
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Serves a tree of [`Files`].
///
/// - `/about/` finds `about/index.html`. `/about` finds `about.html`, whose own path the
///   answer tells as `Content-Location`, if there is no `about/index.html`; otherwise it is
///   redirected to `/about/` (301), so that links from there work.
/// - A path without a file is answered 404, with the page `404.html` if there is one.
/// - A file's neighbours `.br`, `.zst` and `.gz` are sent in its place to clients that
///   accept the coding.
/// - Conditional requests (`If-None-Match`, `If-Match`, `If-Modified-Since`,
///   `If-Unmodified-Since`, `If-Range`) and ranges of bytes are honoured. Several ranges
///   at once are answered with the whole file, as RFC 9110, section 14.2, allows.
/// - No path leads out of the tree: segments such as `..`, also percent-coded, coded
///   slashes and backslashes find nothing.
///
/// Mounted in a [`Router`](crate::Router) at a pattern such as `/docs/*path` it serves
/// what the last part stands for, and redirects `/docs` to `/docs/`.
pub struct FileServer<F> {
    files: F,
    cache_control: &'static str,
}

impl<F> fmt::Debug for FileServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileServer").finish_non_exhaustive()
    }
}

/// The file that a path leads to.
struct Found<C> {
    file: File<C>,
    name: String,
    /// The end that the path lacks to be the file's own. If that is a slash, relative links
    /// lead elsewhere without it.
    missing: &'static str,
}

/// The file to send, and what to say about it.
struct Selected<C> {
    file: File<C>,
    coding: Option<Coding>,
    varies: bool,
}

impl<F: Files> FileServer<F> {
    /// Serves `files`. Browsers and caches may keep them, but have to ask every time
    /// whether they have changed (`Cache-Control: no-cache`).
    pub const fn new(files: F) -> Self {
        Self {
            files,
            cache_control: "no-cache",
        }
    }

    /// Sets the value of `Cache-Control`, such as `public, max-age=3600`.
    pub fn cache_control(mut self, value: &'static str) -> Self {
        self.cache_control = value;
        self
    }

    /// Finds the file for a path in the tree, the end of `full`.
    async fn resolve(&self, path: &str, full: &str) -> Result<Option<Found<F::Content>>, Error> {
        let endings: &[(&str, &str)] = if full.ends_with('/') {
            &[("index.html", "")]
        } else if path.is_empty() {
            &[("index.html", "/")]
        } else {
            &[("", ""), ("/index.html", "/"), (".html", ".html")]
        };
        for (ending, missing) in endings {
            let name = format!("{path}{ending}");
            if let Some(file) = self.files.find(&name).await? {
                return Ok(Some(Found {
                    file,
                    name,
                    missing,
                }));
            }
        }
        Ok(None)
    }

    /// Chooses between a file and its compressed neighbours.
    async fn select(
        &self,
        request: &Request<'_>,
        file: File<F::Content>,
        name: &str,
    ) -> Result<Selected<F::Content>, Error> {
        let mut best = weight(request, "identity").unwrap_or(0);
        let mut selected = Selected {
            file,
            coding: None,
            varies: false,
        };
        for coding in CODINGS {
            let neighbour = format!("{name}{}", coding.suffix);
            let Some(neighbour) = self.files.find(&neighbour).await? else {
                continue;
            };
            selected.varies = true;
            let weight = weight(request, coding.name).unwrap_or(0);
            let is_better = weight > best || weight == best && selected.coding.is_none();
            if weight > 0 && is_better {
                best = weight;
                selected.coding = Some(coding);
                selected.file = neighbour;
            }
        }
        Ok(selected)
    }

    async fn not_found(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        let Some(page) = self.files.find("404.html").await? else {
            return Err(Error::Status(Status::NOT_FOUND));
        };
        let response = Response::new(Status::NOT_FOUND).content_type(media_type("404.html"));
        page.send(request, response, 0..page.size).await
    }

    async fn get(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        let Some(path) = safe_path(request) else {
            return self.not_found(request).await;
        };
        let Some(found) = self.resolve(&path, request.path()).await? else {
            return self.not_found(request).await;
        };
        if found.missing == "/" {
            let location = with_slash(request);
            return Ok(Response::redirect(Status::MOVED_PERMANENTLY, &location));
        }
        let selected = self.select(request, found.file, &found.name).await?;
        let file = &selected.file;
        let mut response = Response::new(Status::OK).header("Cache-Control", self.cache_control);
        if !file.etag.is_empty() {
            response = response.header("ETag", &file.etag);
        }
        if selected.varies {
            response = response.header("Vary", "Accept-Encoding");
        }
        if !found.missing.is_empty() {
            let location = format!("{}{}", request.path(), found.missing);
            response = response.header("Content-Location", &location);
        }
        let validators = Validators {
            etag: &file.etag,
            modified: file.modified,
        };
        match evaluate(request, &validators) {
            Outcome::Proceed => {}
            Outcome::NotModified => return Ok(response.status_only(Status::NOT_MODIFIED)),
            Outcome::Failed => return Err(Error::Status(Status::PRECONDITION_FAILED)),
        }
        if let Some(modified) = file.modified {
            response = response.date("Last-Modified", modified);
        }
        if let Some(coding) = selected.coding {
            response = response.header("Content-Encoding", coding.name);
        }
        let response = response
            .content_type(media_type(&found.name))
            .header("Accept-Ranges", "bytes");
        let size = file.size;
        match part(request, &validators, size) {
            Part::Whole => file.send(request, response, 0..size).await,
            Part::Range(start, end) => {
                let last = end - 1;
                let response = response
                    .status_only(Status::PARTIAL_CONTENT)
                    .header("Content-Range", &format!("bytes {start}-{last}/{size}"));
                file.send(request, response, start..end).await
            }
            Part::Unsatisfiable => {
                let response = Response::error(Status::RANGE_NOT_SATISFIABLE);
                Ok(response.header("Content-Range", &format!("bytes */{size}")))
            }
        }
    }
}

impl<F: Files> Handler for FileServer<F> {
    async fn handle(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        let response = match request.method() {
            Method::Get | Method::Head => return self.get(request).await,
            Method::Options => Response::new(Status::NO_CONTENT),
            _ => Response::error(Status::METHOD_NOT_ALLOWED),
        };
        Ok(response.allow(|method| matches!(method, Method::Get | Method::Head | Method::Options)))
    }
}

/// The path inside the tree that the request asks for, decoded. `None` if it cannot be
/// one.
fn safe_path(request: &Request<'_>) -> Option<String> {
    let path = pattern::tail(request.pattern, request.path());
    let mut decoded = String::with_capacity(path.len() + "/index.html".len());
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let segment = percent_decode(segment)?;
        let is_bad = segment == "."
            || segment == ".."
            || segment.is_empty() && !is_last
            || segment.contains(['/', '\\', '\0']);
        if is_bad {
            return None;
        }
        decoded.push_str(&segment);
        if !is_last {
            decoded.push('/');
        }
    }
    Some(decoded)
}

/// Where a folder is whose path lacks the slash at its end: relative to that path, so that
/// nothing in it can be taken for a host or a scheme.
fn with_slash(request: &Request<'_>) -> String {
    let name = request.path().rsplit('/').next().unwrap_or_default();
    match request.query() {
        Some(query) => format!("./{name}/?{query}"),
        None => format!("./{name}/"),
    }
}
