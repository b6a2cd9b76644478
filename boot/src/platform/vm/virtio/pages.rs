//! Which pages of a piece of memory are free.

/// The most pages that there may be.
pub(super) const MOST: usize = 512;

/// A map of pages, which are numbered from zero.
pub(super) struct Pages {
    free: [bool; MOST],
}

impl Pages {
    /// A map without pages: they come with [`give`](Self::give).
    pub(super) const fn none() -> Self {
        Self {
            free: [false; MOST],
        }
    }

    /// Takes the first `count` pages that are free and adjacent. Returns the first one's
    /// number, or `None` if there are none.
    pub(super) fn take(&mut self, count: usize) -> Option<usize> {
        // There are no windows of zero pages.
        let mut runs = self.free.windows(count.max(1));
        let first = runs.position(|run| run.iter().all(|free| *free))?;
        self.free[first..first + count].fill(false);
        Some(first)
    }

    /// Makes `count` pages free, from number `first` on.
    pub(super) fn give(&mut self, first: usize, count: usize) {
        self.free[first..first + count].fill(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Take a number of pages, or give a block back, counted from the oldest one.
    fn steps() -> impl Strategy<Value = Vec<Result<usize, usize>>> {
        let step = prop_oneof![(1..40usize).prop_map(Ok), any::<usize>().prop_map(Err),];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn blocks_are_the_first_that_fit_and_never_overlap(
            size in 1..=MOST,
            steps in steps(),
        ) {
            let mut pages = Pages::none();
            pages.give(0, size);
            // Who owns each page.
            let mut model: Vec<Option<usize>> = vec![None; size];
            let mut blocks = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Ok(count) => {
                        let fits = |first: &usize| {
                            model[*first..first + count].iter().all(Option::is_none)
                        };
                        let expected = (0..(size + 1).saturating_sub(count)).find(fits);
                        let first = pages.take(count);
                        prop_assert_eq!(first, expected);
                        if let Some(first) = first {
                            model[first..first + count].fill(Some(number));
                            blocks.push((first, count, number));
                        }
                    }
                    Err(_) if blocks.is_empty() => {}
                    Err(which) => {
                        let (first, count, owner) = blocks.remove(which % blocks.len());
                        let owned = &mut model[first..first + count];
                        prop_assert!(owned.iter().all(|page| *page == Some(owner)));
                        owned.fill(None);
                        pages.give(first, count);
                    }
                }
            }
            for (first, count, _) in blocks {
                pages.give(first, count);
            }
            prop_assert_eq!(pages.take(size), Some(0), "all is free again");
            prop_assert_eq!(pages.take(1), None);
        }
    }

    #[test]
    fn no_pages_and_more_than_there_can_be() {
        let mut pages = Pages::none();
        assert_eq!(pages.take(1), None);
        pages.give(0, MOST);
        assert_eq!(pages.take(usize::MAX), None);
        assert_eq!(pages.take(MOST + 1), None);
        assert_eq!(pages.take(MOST), Some(0));
    }
}
