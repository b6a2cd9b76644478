//! A key-value store on a disk, over HTTP: what was answered is on the disk. That has a store of
//! `cargo fata disk` or a FAT volume.
//!
//! `PUT /KEY` sets a value, `GET /KEY` returns it, or the first thousand names in a dictionary and
//! with `?after=NAME` those that follow that one; `DELETE /KEY` removes either, but not all there is.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::error::Error;
use fata_boot::{Args, ArgsError, Disk, Env, FromArgs, Port};
use fata_fat::FatKv;
use fata_http::{
    Error as HttpError, Files, KvFiles, Method, Request, Response, Router, Server, Status,
};
use fata_kv::{EitherKv, Error as KvError, Key, Kind, KvRo, KvRw};
use fata_memory::Part;
use fata_net::Stack;
use fata_store::{Limits, Store};
use rand_core::Rng;

fata_boot::main!(app, Options);

/// Bytes of the largest value that can be set.
const LARGEST: usize = 1 << 20;

/// Memory for what a change writes on a FAT volume: bytes of the largest value, and more.
const LARGEST_CHANGE: usize = 2 * LARGEST;

/// Names of a dictionary in one answer; `?after=NAME` asks for those that follow.
const NAMES: usize = 1000;

struct Options {
    port: Port<8080>,
    format: bool,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            port: Port::from_args(args)?,
            format: args.flag("format", "make an empty store if the disk has none")?,
        })
    }
}

async fn app(env: Env, options: Options) -> fata_boot::Result {
    let memory = env.memory();
    let limits = Limits::within(memory.room(Part::Storage) / 3);
    let _store = memory.try_take(Part::Storage, limits.bytes());
    let store = Rc::new(open(&env, limits, options.format).await?);
    let network = env.network().await?;
    let listener = network.listen(options.port.into()).await?;
    log::info!("listening on port {}", options.port);
    let [reader, writer, remover] = core::array::from_fn(|_| Rc::clone(&store));
    let routes = Router::new()
        .get("/*key", async move |request| get(&reader, request).await)
        .route(Method::Put, "/*key", async move |request| {
            let value = request.read_to_vec(LARGEST).await?;
            answer(put(&*writer, request, &value).await)
        })
        .route(Method::Delete, "/*key", async move |request| {
            answer(remove(&*remover, request).await)
        });
    Ok(Server::new(env.tasks.clone())
        .serve(listener, routes)
        .await?)
}

type Opened = EitherKv<Store<Disk>, FatKv<Disk>>;

async fn open(env: &Env, limits: Limits, may_format: bool) -> Result<Opened, Box<dyn Error>> {
    let disk = env.disk("store").await?;
    let store = Store::open(&env.tasks, disk.clone(), limits);
    let volume = FatKv::open(&env.tasks, disk.clone(), LARGEST_CHANGE);
    let opened = EitherKv::open(store, volume).await;
    if !matches!(opened, Err(KvError::NotAStore)) {
        if let Ok(EitherKv::Second(_)) = opened {
            log::info!("found a FAT volume");
        }
        return Ok(opened?);
    }
    if !may_format {
        return Err("the disk has no store and no FAT volume; --format makes a store".into());
    }
    fata_store::format(&disk, env.rng()?.next_u64()).await?;
    log::info!("made an empty store");
    let store = Store::open(&env.tasks, disk, limits).await?;
    Ok(EitherKv::First(store))
}

/// The key that a request names.
fn key(request: &Request<'_>) -> Result<Key, KvError> {
    let path = request.param("key").unwrap_or_default();
    path.parse().map_err(|_| KvError::BadName)
}

async fn get(store: &Rc<Opened>, request: &mut Request<'_>) -> Result<Response, HttpError> {
    let found = match key(request) {
        Ok(key) => store.exists(&key).await.map(|kind| (key, kind)),
        Err(error) => Err(error),
    };
    match found {
        Ok((key, Some(Kind::Value))) => send(store, &key, request).await,
        Ok((key, Some(Kind::Dictionary))) => answer(names(&**store, &key, request).await),
        Ok((_, None)) => answer(Err(KvError::NotFound)),
        Err(error) => answer(Err(error)),
    }
}

/// Sends a value piece by piece, however large it is.
async fn send(
    store: &Rc<Opened>,
    key: &Key,
    request: &mut Request<'_>,
) -> Result<Response, HttpError> {
    let Some(value) = KvFiles::new(Rc::clone(store)).find(key.as_str()).await? else {
        return answer(Err(KvError::NotFound));
    };
    let head = Response::new(Status::OK).content_type("application/octet-stream");
    value.send(request, head, 0..value.size).await
}

async fn names(store: &impl KvRo, key: &Key, request: &Request<'_>) -> Result<Response, KvError> {
    let after = request.query_value("after").unwrap_or_default();
    let mut names = String::new();
    for entry in store.list(key, &after, NAMES).await? {
        let end = if entry.kind == Kind::Dictionary {
            "/"
        } else {
            ""
        };
        names.push_str(&format!("{}{end}\n", entry.name));
    }
    Ok(Response::text(names))
}

async fn put(store: &impl KvRw, request: &Request<'_>, value: &[u8]) -> Result<Response, KvError> {
    store.set(&key(request)?, value).await?;
    Ok(Response::new(Status::NO_CONTENT))
}

async fn remove(store: &impl KvRw, request: &Request<'_>) -> Result<Response, KvError> {
    let key = key(request)?;
    // Rather a script whose key is empty by mistake than a wish.
    if key.is_root() {
        return Err(KvError::BadName);
    }
    store.remove(&key).await?;
    Ok(Response::new(Status::NO_CONTENT))
}

/// Errors of the store are answers, too.
fn answer(result: Result<Response, KvError>) -> Result<Response, HttpError> {
    result.or_else(|error| {
        let status = match error {
            KvError::NoMemory => return Err(HttpError::NoRoom),
            KvError::NotFound => Status::NOT_FOUND,
            KvError::BadName => Status::BAD_REQUEST,
            KvError::DictionaryExpected | KvError::ValueExpected => Status::CONFLICT,
            KvError::TooLarge => Status::CONTENT_TOO_LARGE,
            KvError::NoSpace => Status::INSUFFICIENT_STORAGE,
            KvError::ReadOnly => Status::FORBIDDEN,
            _ => {
                log::error!("{error}");
                Status::INTERNAL_SERVER_ERROR
            }
        };
        Ok(Response::new(status).body("text/plain; charset=utf-8", format!("{error}\n")))
    })
}
