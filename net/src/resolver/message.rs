//! Questions and answers in the form of the wire (RFC 1035, section 4).

use super::ResolveError;
use super::name::{LONGEST_NAME, Name, own};
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;
use domain::base::iana::{Opcode, Rcode};
use domain::base::name::ToName;
use domain::base::{Message, MessageBuilder, ParsedName, Rtype, StreamTarget};
use domain::dep::octseq::Array;
use domain::rdata::{A, Aaaa, Cname, Ptr, Soa};

/// The largest datagram that servers may send, in bytes: what no path cuts to fragments
/// (RFC 9715, section 3).
pub(super) const PAYLOAD: usize = 1_232;
/// Bytes of a message's header.
const HEADER: usize = 12;
/// A question's type and class, in bytes.
const TYPE_AND_CLASS: usize = 4;
/// Bytes of an OPT record without options.
const OPT: usize = 11;
/// Bytes of a stream's length field.
const LENGTH: usize = 2;
/// Addresses that are taken of one answer. More are left out.
pub(super) const MOST_ADDRESSES: usize = 16;
/// Aliases (CNAME) that are followed in one answer, and from one answer to the next.
pub(super) const MOST_ALIASES: usize = 8;

/// A question in the form of the wire, also with its length before it.
pub(super) type Query =
    StreamTarget<Array<{ LENGTH + HEADER + LONGEST_NAME + TYPE_AND_CLASS + OPT }>>;

/// The type of record that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ipv4,
    Ipv6,
    Pointer,
}

impl Kind {
    fn record_type(self) -> Rtype {
        match self {
            Self::Ipv4 => Rtype::A,
            Self::Ipv6 => Rtype::AAAA,
            Self::Pointer => Rtype::PTR,
        }
    }
}

/// A question. The name has small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: Kind,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Its number.
    pub(super) id: u16,
    /// For each letter of its name, whether it is to be large: what a forger has to guess
    /// too, as servers repeat the name as it is (draft-vixie-dnsext-dns0x20).
    pub(super) large: [u8; LONGEST_NAME.div_ceil(8)],
    /// True if it allows answers of [`PAYLOAD`] bytes (EDNS, RFC 6891), not just of 512.
    pub(super) extended: bool,
}

/// The answer to a question: records, or the lack of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Records {
    /// At least one address, all of the family that was asked for.
    Addresses(Rc<[IpAddr]>),
    /// The name of an address.
    Name(Rc<str>),
    /// The name does not exist.
    NoSuchName,
    /// The name exists, but has no such record.
    NoRecord,
}

/// The response of a server to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The answer, and for how many seconds it is good.
    Records(Records, u32),
    /// The records are to be found under another name, which the server has not looked
    /// for; how many seconds this is good.
    Alias(Name, u32),
    /// The answer was too long for a datagram.
    Truncated,
    /// The server does not understand the question (FORMERR, NOTIMP).
    NotUnderstood,
    /// The server cannot or will not answer, or its answer makes no sense.
    Failure(ResolveError),
}

/// Writes a question.
pub(super) fn write(question: &Question, style: &Style) -> Result<Query, ResolveError> {
    compose(question, style).ok_or(ResolveError::InvalidName)
}

/// `None` if it does not fit, which a valid name always does.
fn compose(question: &Question, style: &Style) -> Option<Query> {
    let name = domain::base::Name::from_octets(cased(&question.name, style)?).ok()?;
    let target = StreamTarget::new(Array::new()).ok()?;
    let mut builder = MessageBuilder::from_target(target).ok()?;
    let header = builder.header_mut();
    header.set_id(style.id);
    header.set_rd(true);
    let mut builder = builder.question();
    builder.push((&name, question.kind.record_type())).ok()?;
    let mut builder = builder.additional();
    if style.extended {
        let set = builder.opt(|options| {
            options.set_udp_payload_size(PAYLOAD as u16);
            Ok(())
        });
        set.ok()?;
    }
    Some(builder.finish())
}

/// The name with some letters large.
fn cased(name: &Name, style: &Style) -> Option<Array<LONGEST_NAME>> {
    let mut cased = Array::try_from(name.as_slice()).ok()?;
    for (index, byte) in cased.as_mut().iter_mut().enumerate() {
        let bits = style.large.get(index / 8).copied().unwrap_or_default();
        if bits >> (index % 8) & 1 == 1 {
            // Lengths of labels are below 64, where no letters are.
            byte.make_ascii_uppercase();
        }
    }
    Some(cased)
}

/// Understands an answer. `None` if it does not belong to `query`: number and question
/// have to be the same, to the case of each letter.
pub(super) fn read(bytes: &[u8], query: &Query, question: &Question) -> Option<Reply> {
    let message = Message::from_slice(bytes).ok()?;
    let asked = query.as_dgram_slice();
    let header = message.header();
    let is_ours =
        header.qr() && header.opcode() == Opcode::QUERY && bytes.get(..2) == asked.get(..2);
    if !is_ours {
        return None;
    }
    if rejects_extension(message, asked) {
        return Some(Reply::NotUnderstood);
    }
    let repeated = HEADER..HEADER + question.name.len() + TYPE_AND_CLASS;
    let is_repeated = message.header_counts().qdcount() == 1
        && bytes.get(repeated.clone()) == asked.get(repeated);
    if !is_repeated {
        return None;
    }
    if header.tc() {
        return Some(Reply::Truncated);
    }
    Some(match header.rcode() {
        Rcode::NOERROR | Rcode::NXDOMAIN => {
            records(message, question).unwrap_or(Reply::Failure(ResolveError::BadAnswer))
        }
        code if is_not_understood(code) => Reply::NotUnderstood,
        Rcode::REFUSED => Reply::Failure(ResolveError::Refused),
        _ => Reply::Failure(ResolveError::ServerFailure),
    })
}

/// Tells whether an answer is the one that servers from before EDNS give to it: they do not
/// understand, and do not repeat the question (RFC 6891, section 7).
///
/// It is easier to forge than others, so it counts only where all it leads to is that the
/// question is put once more without EDNS, under another number and port.
fn rejects_extension(message: &Message<[u8]>, asked: &[u8]) -> bool {
    let is_extended = Message::from_slice(asked).is_ok_and(|asked| asked.opt().is_some());
    is_extended
        && message.header_counts().qdcount() == 0
        && is_not_understood(message.header().rcode())
}

fn is_not_understood(code: Rcode) -> bool {
    matches!(code, Rcode::FORMERR | Rcode::NOTIMP)
}

/// The records of an answer. `None` if it is malformed.
fn records(message: &Message<[u8]>, question: &Question) -> Option<Reply> {
    let (name, alias_ttl) = follow(message, &question.name)?;
    let found = match question.kind {
        Kind::Ipv4 => addresses::<A>(message, &name, |data| data.addr().into())?,
        Kind::Ipv6 => addresses::<Aaaa>(message, &name, |data| data.addr().into())?,
        Kind::Pointer => pointer(message, &name)?,
    };
    if let Some((records, ttl)) = found {
        return Some(Reply::Records(records, ttl.min(alias_ttl)));
    }
    let nothing = match message.header().rcode() {
        Rcode::NXDOMAIN => Records::NoSuchName,
        _ => Records::NoRecord,
    };
    match negative_ttl(message)? {
        Some(ttl) => Some(Reply::Records(nothing, ttl.min(alias_ttl))),
        None if name != question.name && nothing == Records::NoRecord => {
            Some(Reply::Alias(name, alias_ttl))
        }
        // Without the zone's word for it, it is not kept (RFC 2308, section 5).
        None => Some(Reply::Records(nothing, 0)),
    }
}

/// The name that the aliases of an answer lead to, and for how many seconds.
fn follow(message: &Message<[u8]>, name: &Name) -> Option<(Name, u32)> {
    let (mut name, mut least) = (name.clone(), u32::MAX);
    // The last alias must not lead to one more.
    for _ in 0..=MOST_ALIASES {
        let mut alias = None;
        for record in message
            .answer()
            .ok()?
            .limit_to_in::<Cname<ParsedName<&[u8]>>>()
        {
            let record = record.ok()?;
            if alias.is_none() && *record.owner() == name {
                alias = Some((flat(record.data().cname())?, record.ttl()));
            }
        }
        let Some((target, ttl)) = alias else {
            return Some((name, least));
        };
        (name, least) = (target, least.min(seconds(ttl)));
    }
    None
}

/// The addresses of a name in an answer.
fn addresses<'a, D>(
    message: &'a Message<[u8]>,
    name: &Name,
    address: impl Fn(&D) -> IpAddr,
) -> Option<Option<(Records, u32)>>
where
    D: domain::base::ParseRecordData<'a, [u8]>,
{
    let (mut found, mut least) = (Vec::new(), u32::MAX);
    for record in message.answer().ok()?.limit_to_in::<D>() {
        let record = record.ok()?;
        if record.owner() == name && found.len() < MOST_ADDRESSES {
            found.push(address(record.data()));
            least = least.min(seconds(record.ttl()));
        }
    }
    let records = (!found.is_empty()).then(|| Records::Addresses(found.into()));
    Some(records.map(|records| (records, least)))
}

/// The first name that an address's name points to.
fn pointer(message: &Message<[u8]>, name: &Name) -> Option<Option<(Records, u32)>> {
    for record in message
        .answer()
        .ok()?
        .limit_to_in::<Ptr<ParsedName<&[u8]>>>()
    {
        let record = record.ok()?;
        if record.owner() == name {
            let text = record.data().ptrdname().to_string();
            let found = (Records::Name(text.into()), seconds(record.ttl()));
            return Some(Some(found));
        }
    }
    Some(None)
}

/// For how many seconds it is good that there is no record (RFC 2308, section 5).
fn negative_ttl(message: &Message<[u8]>) -> Option<Option<u32>> {
    let mut authority = message
        .authority()
        .ok()?
        .limit_to_in::<Soa<ParsedName<&[u8]>>>();
    let Some(record) = authority.next() else {
        return Some(None);
    };
    let record = record.ok()?;
    let minimum = seconds(record.data().minimum());
    Some(Some(seconds(record.ttl()).min(minimum)))
}

/// A TTL with its highest bit set counts as zero (RFC 2181, section 8).
fn seconds(ttl: domain::base::Ttl) -> u32 {
    match ttl.as_secs() {
        seconds @ 0..=0x7fff_ffff => seconds,
        _ => 0,
    }
}

/// A copy of a name, its letters small.
fn flat(name: &ParsedName<&[u8]>) -> Option<Name> {
    let name: domain::base::Name<Array<LONGEST_NAME>> = name.try_to_name().ok()?;
    own(name.as_slice()).ok()
}
