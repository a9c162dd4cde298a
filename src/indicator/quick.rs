//! The short way for what most lines of large lists are: a host name in lower case, an IPv4 address, an
//! IPv4 prefix. [`super::value`] says what holds; what is not plainly one of these goes the long way.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::model::Match;
use super::value::{Refusal, Value, global, is_public_suffix, narrow};

/// What [`Value::guess`] says of `text`, when that is quickly known.
pub(super) fn guess(text: &str) -> Option<Result<Value<'_>, Refusal>> {
    let bytes = text.as_bytes();
    // Places of the label's start and of anything in it but digits.
    let (mut start, mut letters, mut dots) = (0, false, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'-' | b'_' => letters = true,
            b'0'..=b'9' => {}
            b'.' if (1..=63).contains(&(at - start)) => (start, letters, dots) = (at + 1, false, dots + 1),
            b'/' => return prefix(text),
            _ => return None,
        }
    }
    if !letters {
        return address(text);
    }
    // A name of one label, one with a final dot, and one that looks defanged go the long way.
    let last = bytes.len() - start;
    if dots == 0 || !(1..=63).contains(&last) || bytes.len() > 253 || text.starts_with("hxxp") {
        return None;
    }
    Some(match is_public_suffix(text) {
        true => Err(Refusal::PublicSuffix),
        false => Ok(Value::Domain(Cow::Borrowed(text), Match::Subtree)),
    })
}

fn address(text: &str) -> Option<Result<Value<'_>, Refusal>> {
    let address: Ipv4Addr = text.parse().ok()?;
    Some(global(IpAddr::V4(address)).map(Value::Address))
}

fn prefix(text: &str) -> Option<Result<Value<'_>, Refusal>> {
    let (base, length) = text.split_once('/')?;
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    // How zeros before a number are meant is the parser's business.
    if !digits || length.len() > 2 || length.len() == 2 && length.starts_with('0') {
        return None;
    }
    let (base, length) = (base.parse::<Ipv4Addr>().ok()?, length.parse().ok()?);
    let network = Ipv4Net::new(base, length).ok()?.trunc();
    Some(match length {
        32 => global(IpAddr::V4(base)).map(Value::Address),
        _ => narrow(IpNet::V4(network)).map(Value::Network),
    })
}
