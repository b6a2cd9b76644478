use core::fmt;

/// A request's method (RFC 9110, section 9, and RFC 5789).
///
/// The server answers 501 to any other method, among them CONNECT and TRACE, which are
/// for proxies and for debugging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Transfers a representation of the resource.
    Get,
    /// Like GET, but the answer has no body.
    Head,
    /// Processes the body as the resource sees fit.
    Post,
    /// Replaces the resource with the body.
    Put,
    /// Removes the resource.
    Delete,
    /// Asks what may be done with the resource.
    Options,
    /// Changes the resource as the body says.
    Patch,
}

impl Method {
    /// All methods, in the order in which `Allow` lists them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Options,
        Self::Patch,
    ];

    /// The method's name, in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
        }
    }

    pub(crate) fn from_bytes(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str().as_bytes() == name)
    }

    /// True if a request with this method is expected to bring a body, so that one
    /// without a length is refused with 411.
    pub(crate) const fn needs_length(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
