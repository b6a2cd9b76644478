//! Memory at addresses of the device's own: what the driver has shared, and nothing else.

use alloc::alloc::{alloc_zeroed, dealloc};
use alloc::collections::BTreeMap;
use core::alloc::Layout;
use core::cell::RefCell;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Rings are at the driver's addresses; buffers are copied, so that nothing works unless it
/// is shared and taken back.
struct Region {
    start: NonNull<u8>,
    layout: Layout,
    direction: BufferDirection,
    /// The driver's buffer, if this is a copy of it.
    original: Option<NonNull<u8>>,
}

struct Regions {
    by_address: BTreeMap<PhysAddr, Region>,
    next: PhysAddr,
}

std::thread_local! {
    static REGIONS: RefCell<Regions> = const {
        RefCell::new(Regions { by_address: BTreeMap::new(), next: FIRST })
    };
}

/// No pointer looks like this address, and 32 bits can hold its page, as legacy devices need.
const FIRST: PhysAddr = 1 << 40;

impl Regions {
    fn insert(&mut self, region: Region) -> PhysAddr {
        let address = self.next;
        // A page in between belongs to nobody.
        let pages = region.layout.size().div_ceil(PAGE_SIZE) + 1;
        self.next += (pages * PAGE_SIZE) as PhysAddr;
        self.by_address.insert(address, region);
        address
    }

    fn allocate(
        &mut self,
        layout: Layout,
        direction: BufferDirection,
        original: Option<NonNull<u8>>,
    ) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: no layout here is empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("the host has memory");
        let region = Region {
            start,
            layout,
            direction,
            original,
        };
        (self.insert(region), start)
    }

    fn free(&mut self, address: PhysAddr) {
        let region = self.by_address.remove(&address).expect("it is shared");
        // SAFETY: it was allocated with this layout, and is forgotten.
        unsafe { dealloc(region.start.as_ptr(), region.layout) };
    }

    /// The bytes if the device may access all of them.
    fn find(&self, address: PhysAddr, length: usize, write: bool) -> Option<NonNull<u8>> {
        let (start, region) = self.by_address.range(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        let forbidden = if write {
            BufferDirection::DriverToDevice
        } else {
            BufferDirection::DeviceToDriver
        };
        let inside = offset.checked_add(length)? <= region.layout.size();
        // SAFETY: the offset lies within the region.
        (inside && region.direction != forbidden).then(|| unsafe { region.start.byte_add(offset) })
    }
}

fn with<R>(action: impl FnOnce(&mut Regions) -> R) -> R {
    REGIONS.with_borrow_mut(action)
}

/// The device reads. False if it may not.
pub(super) fn read(address: PhysAddr, bytes: &mut [u8]) -> bool {
    let found = with(|regions| regions.find(address, bytes.len(), false));
    // SAFETY: the region has so many bytes, and nothing runs at the same time.
    found.is_some_and(|start| unsafe {
        start.copy_to_nonoverlapping(NonNull::from(&mut *bytes).cast(), bytes.len());
        true
    })
}

/// The device writes. False if it may not.
pub(super) fn write(address: PhysAddr, bytes: &[u8]) -> bool {
    let found = with(|regions| regions.find(address, bytes.len(), true));
    // SAFETY: the region has so many bytes, and nothing runs at the same time.
    found.is_some_and(|start| unsafe {
        start.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        true
    })
}

/// Returns whether the device may write.
pub(super) fn is_writable(address: PhysAddr, length: usize) -> bool {
    with(|regions| regions.find(address, length, true)).is_some()
}

/// Checks that the driver has taken all of this thread's memory back from the device.
///
/// # Panics
/// If it has not.
pub fn assert_nothing_shared() {
    let count = with(|regions| regions.by_address.len());
    assert_eq!(
        count, 0,
        "blocks of memory are still shared with the device"
    );
}

/// The memory of a [`FakeDevice`](super::FakeDevice). Each thread has its own.
pub struct FakeHal;

// SAFETY: pages come zeroed and aligned from the heap and are shared with nobody else.
unsafe impl Hal for FakeHal {
    fn dma_alloc(pages: usize, direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let layout = Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).expect("it is small");
        with(|regions| regions.allocate(layout, direction, None))
    }

    unsafe fn dma_dealloc(address: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        with(|regions| {
            let region = &regions.by_address[&address];
            let known = (region.start, region.layout.size(), region.original);
            assert_eq!(known, (start, pages * PAGE_SIZE, None));
            regions.free(address);
        });
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("the fake transport has no registers")
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        assert!(!buffer.is_empty());
        let layout = Layout::array::<u8>(buffer.len()).expect("it is as long as the buffer");
        let original = buffer.cast::<u8>();
        let (address, copy) = with(|regions| regions.allocate(layout, direction, Some(original)));
        // SAFETY: both have so many bytes.
        unsafe { copy.copy_from_nonoverlapping(original, buffer.len()) };
        address
    }

    unsafe fn unshare(address: PhysAddr, buffer: NonNull<[u8]>, direction: BufferDirection) {
        let original = buffer.cast::<u8>();
        with(|regions| {
            let region = &regions.by_address[&address];
            let known = (region.original, region.layout.size(), region.direction);
            assert_eq!(known, (Some(original), buffer.len(), direction));
            if direction != BufferDirection::DriverToDevice {
                // SAFETY: both have so many bytes.
                unsafe { original.copy_from_nonoverlapping(region.start, buffer.len()) };
            }
            regions.free(address);
        });
    }
}
