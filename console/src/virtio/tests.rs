//! The driver against a device that the tests play.

use super::device::BUFFER;
use super::shared::{INPUT, OUTPUT};
use super::*;
use alloc::vec::Vec;
use core::time::Duration;
use fata_task::{simulate, yield_now};
use fata_virtio::fake::schedule::Watch;
use fata_virtio::fake::{
    DeviceQueue, FakeDevice, FakeHal, FakeTransport, Hostile, Script, assert_nothing_shared,
};
use fata_virtio::feature;
use proptest::prelude::*;
use std::boxed::Box;
use virtio_drivers::transport::DeviceType;

const SIZE_FEATURE: u64 = 1;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

/// A device in the test's hands, and what its driver has.
struct Hands {
    device: FakeDevice,
    event: &'static Event,
    console: VirtioConsole,
    receive: DeviceQueue,
    transmit: DeviceQueue,
}

fn configuration(size: [u16; 2]) -> Vec<u8> {
    size.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn fake(features: u64, size: [u16; 2]) -> (FakeDevice, FakeTransport) {
    let features = features | feature::VERSION_1;
    FakeDevice::new(
        DeviceType::Console,
        features,
        &[128, 128],
        &configuration(size),
    )
}

impl Hands {
    fn new(tasks: &Handle, features: u64, size: [u16; 2]) -> Self {
        let (device, transport) = fake(features, size);
        let event: &'static Event = Box::leak(Box::default());
        let console = VirtioConsole::start::<FakeHal>(tasks, transport, event).unwrap();
        Self {
            receive: device.queue(RECEIVE),
            transmit: device.queue(TRANSMIT),
            device,
            event,
            console,
        }
    }

    fn interrupt(&self) {
        self.device.interrupt();
        self.event.signal();
    }

    /// Takes one buffer of output, if there is one, as people read it.
    fn take_output(&mut self) -> Option<Vec<u8>> {
        let chain = self.transmit.take()?;
        assert!(self.transmit.complete(&chain, &[]));
        self.interrupt();
        Some(chain.readable)
    }

    /// Types `bytes` in. Returns false if the driver has offered no buffer for them.
    fn type_in(&mut self, bytes: &[u8]) -> bool {
        let Some(chain) = self.receive.take() else {
            return false;
        };
        assert!(self.receive.complete(&chain, bytes));
        self.interrupt();
        true
    }

    fn resize(&self, size: [u16; 2]) {
        for (offset, byte) in configuration(size).into_iter().enumerate() {
            self.device.set_configuration(offset, byte);
        }
        self.interrupt();
    }
}

/// Lets the driver's task run until it waits.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn bytes_go_out_and_come_in() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0, [0, 0]);
        let console = hands.console.clone();
        settle().await;
        console.write(b"hello");
        settle().await;
        assert_eq!(hands.take_output().as_deref(), Some(&b"hello"[..]));
        assert!(hands.type_in(b"typed"));
        let mut buffer = [0; 3];
        assert_eq!(console.read(&mut buffer).await, 3);
        assert_eq!(&buffer, b"typ");
        assert_eq!(console.read(&mut buffer).await, 2);
        assert_eq!(&buffer[..2], b"ed");
        // Interrupts drive it: an idle console notifies nobody.
        for queue in [RECEIVE, TRANSMIT] {
            assert!(hands.device.take_notifications(queue) > 0);
        }
        tasks.sleep(Duration::from_secs(1)).await;
        for queue in [RECEIVE, TRANSMIT] {
            assert!(!hands.device.has_notifications(queue));
        }
    });
}

#[test]
fn output_waits_for_a_device_that_does_not_read() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0, [0, 0]);
        let console = hands.console.clone();
        let sent: Vec<u8> = (0..3 * OUTPUT).map(|index| index as u8).collect();
        let (writer, bytes) = (console.clone(), sent.clone());
        let writing = tasks.spawn(async move {
            writer.write_all(&bytes).await;
            writer.flush().await;
        });
        tasks.sleep(Duration::from_secs(60)).await;
        assert!(!writing.is_finished());
        // Output beyond the buffer is lost, and nothing grows.
        console.write(&[b'x'; 2 * OUTPUT]);
        assert_eq!(console.shared.state.borrow().output.len(), OUTPUT);
        let mut taken = Vec::new();
        while !writing.is_finished() {
            settle().await;
            taken.extend(hands.take_output().into_iter().flatten());
            settle().await;
        }
        taken.retain(|byte| *byte != b'x');
        let expected: Vec<u8> = sent.into_iter().filter(|byte| *byte != b'x').collect();
        assert_eq!(taken, expected);
    });
}

#[test]
fn input_waits_for_a_program_that_does_not_read() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0, [0, 0]);
        let console = hands.console.clone();
        settle().await;
        let mut typed = 0;
        while hands.type_in(&[b'a'; BUFFER]) {
            typed += BUFFER;
            settle().await;
        }
        assert_eq!(typed, INPUT);
        let mut buffer = [0; INPUT];
        assert_eq!(console.read(&mut buffer).await, INPUT);
        settle().await;
        assert!(hands.type_in(b"more"));
        assert_eq!(console.read(&mut buffer).await, 4);
    });
}

#[test]
fn a_new_size_is_told() {
    simulate(|tasks| async move {
        let hands = Hands::new(&tasks, SIZE_FEATURE, [80, 25]);
        let console = hands.console.clone();
        let size = |columns, rows| Some(Size { columns, rows });
        assert_eq!(console.size(), size(80, 25));
        let waiter = console.clone();
        let waiting = tasks.spawn(async move { waiter.resized().await });
        tasks.sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        hands.resize([132, 50]);
        assert_eq!(waiting.await, Ok(size(132, 50)));
        assert_eq!(console.size(), size(132, 50));
        hands.resize([0, 0]);
        assert_eq!(console.resized().await, None);
    });
}

#[test]
fn a_device_without_a_size_has_none() {
    simulate(|tasks| async move {
        let hands = Hands::new(&tasks, 0, [80, 25]);
        assert_eq!(hands.console.size(), None);
    });
}

#[test]
fn a_device_that_breaks_the_rules_is_not_used_any_more() {
    type Violation = fn(&mut Hands);
    let violations: [Violation; 3] = [
        |hands| hands.receive.put_used(1, 5),
        |hands| hands.receive.set_used_index(7),
        |hands| hands.transmit.put_used(1, 0),
    ];
    for violate in violations {
        simulate(|tasks| async move {
            let mut hands = Hands::new(&tasks, 0, [0, 0]);
            let console = hands.console.clone();
            console.write(b"output");
            settle().await;
            violate(&mut hands);
            hands.interrupt();
            settle().await;
            assert_eq!(console.read(&mut [0; 8]).await, 0);
            console.write_all(&[b'x'; 2 * OUTPUT]).await;
            console.flush().await;
            // Its task has ended, which has reset the device.
            assert!(!hands.device.is_running());
        });
        assert_nothing_shared();
    }
}

#[test]
fn a_length_beyond_the_buffer_is_cut() {
    simulate(|tasks| async move {
        let mut hands = Hands::new(&tasks, 0, [0, 0]);
        settle().await;
        let chain = hands.receive.take().unwrap();
        hands.receive.put_used(chain.head.into(), u32::MAX);
        hands.interrupt();
        assert_eq!(hands.console.read(&mut [0; 2 * BUFFER]).await, BUFFER);
        assert!(hands.device.is_running());
    });
}

proptest! {
    #[test]
    fn a_hostile_device_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        simulate(|tasks| async move {
            let Hands { device, event, console, .. } =
                Hands::new(&tasks, SIZE_FEATURE, [80, 25]);
            let hostile = Hostile::new(&device, 2, Script::new(&bytes));
            let hostile = Rc::new(RefCell::new(hostile));
            let watching = Rc::clone(&hostile);
            let watch = Watch::new(move || watching.borrow_mut().act());
            for _ in &bytes {
                console.write(b"output");
                hostile.borrow_mut().act();
                event.signal();
                yield_now().await;
                console.pull(&mut [0; 64]);
                let state = console.shared.state.borrow();
                assert!(state.input.len() <= INPUT && state.output.len() <= OUTPUT);
            }
            drop(watch);
        });
        assert_nothing_shared();
    }
}

#[test]
fn the_device_is_reset_before_its_memory_is_freed() {
    let hands = simulate(|tasks| async move {
        let hands = Hands::new(&tasks, 0, [0, 0]);
        hands.console.write(b"output");
        settle().await;
        assert!(hands.device.is_running());
        hands
    });
    assert!(!hands.device.is_running());
    assert_nothing_shared();
}
