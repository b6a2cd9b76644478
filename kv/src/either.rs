use crate::Error;

/// One of two kinds of stores: which, is known when it is opened.
#[derive(Clone, Copy, Debug)]
pub enum EitherKv<A, B> {
    /// The first kind.
    First(A),
    /// The second kind.
    Second(B),
}

impl<A, B> EitherKv<A, B> {
    /// Opens with `first`, or with `second` if `first` finds nothing of its kind. `second` is not
    /// begun before.
    ///
    /// # Errors
    /// [`Error::NotAStore`] if there is nothing of either kind, or the error of that whose kind it
    /// is: also [`Error::Unsupported`] of the first, as what is on a disk of another kind may be too
    /// small for it.
    pub async fn open(
        first: impl Future<Output = Result<A, Error>>,
        second: impl Future<Output = Result<B, Error>>,
    ) -> Result<Self, Error> {
        let error = match first.await {
            Err(error @ (Error::NotAStore | Error::Unsupported)) => error,
            opened => return opened.map(Self::First),
        };
        match second.await {
            Err(Error::NotAStore) => Err(error),
            opened => opened.map(Self::Second),
        }
    }
}
