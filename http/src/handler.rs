#![allow(
    async_fn_in_trait,
    reason = "one core, one executor: no future has to be Send"
)]

use crate::{Error, Request, Response};

/// Something that answers requests.
///
/// Asynchronous functions and closures that take a request and return a result are
/// handlers, and so are [`Router`](crate::Router) and [`FileServer`](crate::FileServer).
///
/// ```
/// use fata_http::{Error, Request, Response, handler};
///
/// async fn index(request: &mut Request<'_>) -> Result<Response, Error> {
///     Ok(Response::text(format!("You asked for {}", request.path())))
/// }
///
/// # fn check(_: impl fata_http::Handler) {}
/// check(index);
/// check(handler(async |_| Ok(Response::text("Hello, World!"))));
/// ```
pub trait Handler {
    /// Answers a request.
    ///
    /// The future is dropped where it waits if the connection breaks, and where it writes a
    /// body if the answer has none, as to HEAD.
    ///
    /// # Errors
    /// The server answers with the error's status, see [`Error`].
    async fn handle(&self, request: &mut Request<'_>) -> Result<Response, Error>;
}

impl<F> Handler for F
where
    F: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
{
    async fn handle(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        self(request).await
    }
}

/// Makes a handler of an asynchronous closure, whose types it lets the compiler infer.
pub fn handler<F>(function: F) -> F
where
    F: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
{
    function
}
