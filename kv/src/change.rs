use crate::Key;

/// One of the changes that [`KvRw::batch`](crate::KvRw::batch) makes.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Gives a key a value in place of what value it has.
    Set(&'a Key, &'a [u8]),
    /// Writes bytes into a key's value from an offset on. The value grows as needed, by zeroes up
    /// to the offset, and becomes one if there is none.
    SetRange(&'a Key, u64, &'a [u8]),
    /// Removes a value, or a dictionary with all that lies in it.
    Remove(&'a Key),
    /// Gives a value or dictionary, the first key, another name, the second. A value takes the
    /// place of the value that had that name.
    Rename(&'a Key, &'a Key),
}
