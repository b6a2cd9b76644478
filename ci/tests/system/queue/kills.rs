//! The program, or the machine, is killed at random moments under load, and started again on the
//! same disk: what was acknowledged is there, bit for bit, what was removed stays away, and a check
//! finds nothing wrong.

use super::{PLATFORMS, PORT, Scene, item, put_on};
use crate::support::{kills, moment_of_kill};
use crate::tool::tool;
use fata_ci::{Client, PATIENCE, Response, succeed};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Clients that upload at once.
const PRODUCERS: u64 = 3;

/// The clients' knowledge of an item.
#[derive(Clone, Copy, Default)]
struct Known {
    accepted: bool,
    removing: bool,
    removed: bool,
}

#[derive(Default)]
struct Model(Mutex<BTreeMap<u64, Known>>);

impl Model {
    fn note(&self, number: u64, change: impl Fn(&mut Known)) {
        let mut items = self.0.lock().expect("no client panics");
        change(items.entry(number).or_default());
    }
}

/// The length of an item: a few bytes to some hundred thousand.
fn length(number: u64) -> usize {
    8 + (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 46) as usize
}

/// After so long a machine that does not answer counts as killed, which it does not tell.
const GONE: Duration = Duration::from_secs(1);

/// The program under load, as clients see it.
#[derive(Clone, Copy)]
struct Server {
    address: IpAddr,
    /// How long to wait for it.
    patience: Duration,
}

impl Server {
    fn connect(self) -> io::Result<Client> {
        Client::connect_within(self.address, PORT, self.patience)
    }

    fn put(self, number: u64) -> io::Result<Response> {
        put_on(self.connect()?, &item(number, length(number)))
    }

    fn request(self, method: &str) -> io::Result<Response> {
        self.connect()?.request(method, "/downloader", "")
    }
}

/// Uploads one item after another until the server is gone.
fn produce(server: Server, model: &Model, mut number: u64) {
    loop {
        model.note(number, |_| {});
        match server.put(number) {
            Ok(response) if response.status == 200 => {
                model.note(number, |item| item.accepted = true)
            }
            Ok(response) => assert_eq!(response.status, 507, "{response:?}"),
            Err(_) => return,
        }
        number += 1;
    }
}

/// Takes the oldest item out. `None` if the server is gone, or nothing comes.
fn take(server: Server, model: &Model) -> Option<u64> {
    let got = server.request("GET").ok()?;
    assert_eq!(got.status, 200, "{}", got.head);
    let number = u64::from_le_bytes(*got.body.first_chunk().expect("a whole item"));
    assert!(got.body == item(number, length(number)), "item {number}");
    let known = model
        .0
        .lock()
        .expect("no client panics")
        .get(&number)
        .copied();
    assert!(
        known.is_some_and(|known| !known.removed),
        "item {number} is back"
    );
    model.note(number, |item| item.removing = true);
    let removed = server.request("DELETE").ok()?;
    assert_eq!(removed.status, 200, "{}", removed.head);
    model.note(number, |item| item.removed = true);
    Some(number)
}

fn kill_under_load(scene: &Scene, model: &Model, round: u64) {
    let (program, address) = scene.start();
    let server = Server {
        address,
        patience: GONE,
    };
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let first = (round * PRODUCERS + producer) << 32;
            scope.spawn(move || produce(server, model, first));
        }
        scope.spawn(move || while take(server, model).is_some() {});
        thread::sleep(moment_of_kill(round));
        drop(program);
    });
    succeed(
        &tool(),
        [OsStr::new("disk"), OsStr::new("check"), scene.disk.as_ref()],
    );
}

#[test]
#[ignore = "boots virtual machines; ci/test runs it"]
fn a_kill_at_any_moment_loses_nothing() {
    let kills = kills();
    for platform in PLATFORMS {
        let scene = Scene::new(platform, 8 << 20);
        let model = Model::default();
        (0..kills).for_each(|round| kill_under_load(&scene, &model, round));
        let (_program, address) = scene.start();
        let server = Server {
            address,
            patience: PATIENCE,
        };
        model.note(u64::MAX, |_| {});
        // Until there is room for one more, which is the last.
        while server.put(u64::MAX).expect("the queue answers").status == 507 {
            take(server, &model).expect("the queue answers");
        }
        while take(server, &model).expect("the queue answers") != u64::MAX {}
        let items = model.0.lock().expect("no client panics");
        let lost = items
            .iter()
            .find(|(_, item)| item.accepted && !item.removing);
        assert!(
            lost.is_none(),
            "item {:?} is lost",
            lost.map(|(number, _)| number)
        );
        let accepted = items.values().filter(|item| item.accepted).count();
        assert!(accepted > 0, "nothing was uploaded");
        println!("{platform:?}: {kills} kills, {accepted} items accepted");
    }
}
