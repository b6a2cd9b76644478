use crate::handler::Handler;
use crate::pattern::matches;
use crate::{Error, Method, Request, Response, Status};
use core::fmt;

/// Chooses a handler by method and path.
///
/// A pattern is a path whose segments are literal, `:name` for any one segment that is
/// not empty, or, at its end, `*name` for whatever is left, even nothing. The first route
/// that fits is taken, in the order in which they were added. A route for GET answers
/// HEAD too. A path with routes only for other methods is answered 405 with `Allow`, or
/// for OPTIONS 204 with `Allow`; a path without routes 404.
///
/// Routes are chosen by the compiler: nothing is boxed, neither handlers nor futures.
///
/// ```
/// use fata_http::{Response, Router};
///
/// let app = Router::new()
///     .get("/", async |_| Ok(Response::text("Hello, World!")))
///     .get("/users/:id", async |request| {
///         let id = request.param("id").unwrap_or_default();
///         Ok(Response::text(format!("user {id}")))
///     })
///     .post("/echo", async |request| {
///         Ok(Response::text(request.read_to_vec(1024).await?))
///     });
/// # fn check(_: impl fata_http::Handler) {}
/// # check(app);
/// ```
pub struct Router<R = NoRoutes> {
    routes: R,
}

impl<R> fmt::Debug for Router<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

/// The end of a router's list of routes.
#[derive(Debug)]
pub struct NoRoutes;

/// A route of a router, and those before it.
pub struct Route<R, H> {
    earlier: R,
    /// `None` is every method.
    method: Option<Method>,
    pattern: &'static str,
    handler: H,
}

impl<R, H> fmt::Debug for Route<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}

/// A list of routes, found by the compiler.
pub trait Routes: sealed::Routes {}
impl<T: sealed::Routes> Routes for T {}

mod sealed {
    use super::{Error, Method, Request, Response};

    /// The result of a look-up.
    #[derive(Debug)]
    pub enum Found {
        /// The route with this number and pattern.
        Route(usize, &'static str),
        /// No route; these methods have one, as bits by `Method`.
        None(u8),
    }

    #[allow(
        async_fn_in_trait,
        reason = "one core, one executor: no future has to be Send"
    )]
    pub trait Routes {
        /// The number of routes.
        const COUNT: usize;

        fn find(&self, method: Method, path: &str) -> Found;

        async fn call(&self, number: usize, request: &mut Request<'_>) -> Result<Response, Error>;
    }
}

use sealed::Found;

impl Router {
    /// A router without routes.
    pub const fn new() -> Self {
        Self { routes: NoRoutes }
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Routes> Router<R> {
    /// Adds a route for a method.
    pub fn route<H>(self, method: Method, pattern: &'static str, handler: H) -> Router<Route<R, H>>
    where
        H: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
    {
        self.add(Some(method), pattern, handler)
    }

    /// Adds a route for GET and HEAD.
    pub fn get<H>(self, pattern: &'static str, handler: H) -> Router<Route<R, H>>
    where
        H: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
    {
        self.add(Some(Method::Get), pattern, handler)
    }

    /// Adds a route for POST.
    pub fn post<H>(self, pattern: &'static str, handler: H) -> Router<Route<R, H>>
    where
        H: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
    {
        self.add(Some(Method::Post), pattern, handler)
    }

    /// Adds a route for PUT.
    pub fn put<H>(self, pattern: &'static str, handler: H) -> Router<Route<R, H>>
    where
        H: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
    {
        self.add(Some(Method::Put), pattern, handler)
    }

    /// Adds a route for DELETE.
    pub fn delete<H>(self, pattern: &'static str, handler: H) -> Router<Route<R, H>>
    where
        H: AsyncFn(&mut Request<'_>) -> Result<Response, Error>,
    {
        self.add(Some(Method::Delete), pattern, handler)
    }

    /// Leaves every method of a path to any [`Handler`], such as a
    /// [`FileServer`](crate::FileServer) for `/*path`.
    pub fn mount<H: Handler>(self, pattern: &'static str, handler: H) -> Router<Route<R, H>> {
        self.add(None, pattern, handler)
    }

    fn add<H>(
        self,
        method: Option<Method>,
        pattern: &'static str,
        handler: H,
    ) -> Router<Route<R, H>> {
        Router {
            routes: Route {
                earlier: self.routes,
                method,
                pattern,
                handler,
            },
        }
    }
}

impl<R: Routes> Handler for Router<R> {
    async fn handle(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        let method = request.method();
        match self.routes.find(method, request.path()) {
            Found::Route(number, pattern) => {
                request.pattern = pattern;
                self.routes.call(number, request).await
            }
            Found::None(0) => Err(Error::Status(Status::NOT_FOUND)),
            Found::None(allowed) => Ok(without_route(method, allowed)),
        }
    }
}

/// The answer for a path that has routes, but none for this method.
fn without_route(method: Method, allowed: u8) -> Response {
    let response = match method {
        Method::Options => Response::new(Status::NO_CONTENT),
        _ => Response::error(Status::METHOD_NOT_ALLOWED),
    };
    let allowed = allowed | bit(Method::Options);
    response.allow(|method| allowed & bit(method) != 0)
}

const fn bit(method: Method) -> u8 {
    1 << method as u8
}

impl sealed::Routes for NoRoutes {
    const COUNT: usize = 0;

    fn find(&self, _: Method, _: &str) -> Found {
        Found::None(0)
    }

    async fn call(&self, _: usize, _: &mut Request<'_>) -> Result<Response, Error> {
        Err(Error::Status(Status::NOT_FOUND))
    }
}

impl<R: Routes, H: Handler> sealed::Routes for Route<R, H> {
    const COUNT: usize = R::COUNT + 1;

    fn find(&self, method: Method, path: &str) -> Found {
        let allowed = match self.earlier.find(method, path) {
            Found::None(allowed) => allowed,
            found => return found,
        };
        if !matches(self.pattern, path) {
            return Found::None(allowed);
        }
        match self.method {
            Some(Method::Get) if method == Method::Head => {}
            Some(own) if own != method => {
                let head = if own == Method::Get {
                    bit(Method::Head)
                } else {
                    0
                };
                return Found::None(allowed | bit(own) | head);
            }
            _ => {}
        }
        Found::Route(Self::COUNT, self.pattern)
    }

    async fn call(&self, number: usize, request: &mut Request<'_>) -> Result<Response, Error> {
        if number == Self::COUNT {
            self.handler.handle(request).await
        } else {
            self.earlier.call(number, request).await
        }
    }
}
