use super::Transaction;
use crate::page::{PAGE, checksum};
use crate::record::{GROUP_BYTES, Group, decode_group, encode_group, group_key, group_of};
use alloc::vec;
use alloc::vec::Vec;
use fata_block::Block;
use fata_kv::Error;

impl<B: Block> Transaction<'_, B> {
    /// Writes bytes into a value that lies in pages. Pages are replaced, never changed.
    pub(super) async fn write_pages(
        &mut self,
        id: u64,
        offset: u64,
        mut bytes: &[u8],
    ) -> Result<(), Error> {
        let mut at = offset;
        while !bytes.is_empty() {
            let start = at % GROUP_BYTES;
            let length = ((GROUP_BYTES - start) as usize).min(bytes.len());
            let (now, rest) = bytes.split_at(length);
            self.write_group(id, at / GROUP_BYTES, start as usize, now)
                .await?;
            bytes = rest;
            at += length as u64;
        }
        Ok(())
    }

    /// The same within one group.
    async fn write_group(
        &mut self,
        id: u64,
        number: u64,
        start: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let key = group_key(id, number);
        let mut group = self.group(&key).await?;
        let end = start + bytes.len();
        let (first, last) = (start / PAGE, (end - 1) / PAGE);
        let mut content = vec![0; (last + 1 - first) * PAGE];
        // Only the outer pages can keep some of what they had.
        if !start.is_multiple_of(PAGE) || first == last && !end.is_multiple_of(PAGE) {
            self.old_page(&group, first, &mut content[..PAGE]).await?;
        }
        if first < last && !end.is_multiple_of(PAGE) {
            let at = content.len() - PAGE;
            self.old_page(&group, last, &mut content[at..]).await?;
        }
        content[start - first * PAGE..][..bytes.len()].copy_from_slice(bytes);
        for page in group[first..=last].iter_mut().filter_map(Option::take) {
            self.release_page(page.0).await?;
        }
        self.place(&mut group[first..=last], content).await?;
        self.insert(&key, &encode_group(&group)).await
    }

    async fn group(&self, key: &[u8]) -> Result<Group, Error> {
        match self.get(key).await? {
            Some(bytes) => decode_group(&bytes),
            None => Ok(Group::default()),
        }
    }

    async fn old_page(
        &mut self,
        group: &Group,
        index: usize,
        content: &mut [u8],
    ) -> Result<(), Error> {
        if let Some((page, sum)) = group[index] {
            self.write_waiting().await?;
            let old = self.volume().data(page, &[sum]).await?;
            content.copy_from_slice(&old);
        }
        Ok(())
    }

    /// Finds pages for bytes, and lets these wait to be written.
    async fn place(
        &mut self,
        entries: &mut [Option<(u64, u64)>],
        mut content: Vec<u8>,
    ) -> Result<(), Error> {
        let identity = self.volume().identity;
        let mut done = 0;
        while done < entries.len() {
            self.changes += 1;
            let (page, count) = self.editor.allocate((entries.len() - done) as u64)?;
            let rest = content.split_off(count as usize * PAGE);
            let pages = (page..).zip(content.chunks(PAGE));
            for ((page, bytes), entry) in pages.zip(&mut entries[done..]) {
                *entry = Some((page, checksum(identity, page, bytes)));
            }
            self.wait_to_write(page, content).await?;
            content = rest;
            done += count as usize;
        }
        Ok(())
    }

    /// Gives all pages of a value back.
    pub(super) async fn release_pages(&mut self, id: u64) -> Result<(), Error> {
        let first = group_key(id, 0);
        while let Some((key, value)) = self.seek(&first).await? {
            if group_of(&key).is_none_or(|(other, _)| other != id) {
                break;
            }
            for (page, _) in decode_group(&value)?.into_iter().flatten() {
                self.release_page(page).await?;
            }
            self.remove_key(&key).await?;
        }
        Ok(())
    }
}
