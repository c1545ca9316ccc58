//! Compression of responses: what the client accepts, and how it is done.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY},
    request::Parts,
};

/// A way to compress that clients and this server know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// `deflate`: by its name raw, by RFC 9110 zlib's format.
    Zlib,
}

impl Coding {
    /// The one that the client likes best, if it likes any better than none.
    pub(crate) fn accepted(request: &HeaderMap) -> Option<Self> {
        if !request.contains_key(ACCEPT_ENCODING) {
            return None;
        }
        let quality = |coding: &str| quality(request, coding).or_else(|| quality(request, "*"));
        let gzip = (quality("gzip").or(quality("x-gzip")).unwrap_or(0), Self::Gzip);
        let zlib = (quality("deflate").unwrap_or(0), Self::Zlib);
        let (best, coding) = if zlib.0 > gzip.0 { zlib } else { gzip };
        let plain = self::quality(request, "identity").unwrap_or(0);
        (best > 0 && best >= plain).then_some(coding)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "deflate",
        }
    }

    /// The same bytes, compressed.
    pub(crate) fn compress(self, bytes: &[u8], level: Compression) -> Vec<u8> {
        let packed = Vec::with_capacity(bytes.len() / 2);
        let packed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(packed, level);
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
            Self::Zlib => {
                let mut encoder = ZlibEncoder::new(packed, level);
                encoder.write_all(bytes).and_then(|()| encoder.finish())
            }
        };
        packed.unwrap_or_else(|_| unreachable!("writing to memory does not fail"))
    }
}

/// Whether and how a poll's answer is compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    pub(crate) from_bytes: Option<usize>,
    pub(crate) coding: Option<Coding>,
}

impl Packing {
    pub(crate) fn of(parts: &Parts, from_bytes: Option<usize>) -> Self {
        let is_poll = parts.method == Method::GET;
        let from_bytes = from_bytes.filter(|_| is_poll);
        Self {
            from_bytes,
            coding: from_bytes.and_then(|_| Coding::accepted(&parts.headers)),
        }
    }
}

/// Says how the response is compressed, and that this depends on the request.
pub(crate) fn write_headers(coding: Option<Coding>, response: &mut HeaderMap) {
    response.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(coding) = coding {
        response.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
}

/// How much the client likes a coding, in thousandths; `None` where it does not name it.
fn quality(request: &HeaderMap, coding: &str) -> Option<u16> {
    let lines = request.get_all(ACCEPT_ENCODING).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_it = parts.next()?.eq_ignore_ascii_case(coding);
            is_it.then(|| parts.find_map(weight).unwrap_or(1000))
        })
}

/// `q=0.5`, in thousandths; what is malformed is 0.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    Some(match (whole, format!("{fraction:0<3}").parse()) {
        ("0", Ok(thousandths)) if digits => thousandths,
        ("1", Ok(0)) if digits => 1000,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::{GzDecoder, ZlibDecoder};
    use proptest::prelude::*;

    use super::*;

    fn accepted(lines: &[&str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Coding::accepted(&headers)
    }

    #[test]
    fn the_best_liked_coding_is_chosen() {
        for (header, coding) in [
            ("gzip, deflate, br, zstd", Some(Coding::Gzip)),
            ("deflate, gzip", Some(Coding::Gzip)),
            ("deflate", Some(Coding::Zlib)),
            ("GZIP;q=0.5, Deflate ; Q = 0.8", Some(Coding::Zlib)),
            ("gzip;q=0", None),
            ("gzip;q=0.000, *", Some(Coding::Zlib)),
            ("*;q=0.1", Some(Coding::Gzip)),
            ("*;q=0", None),
            ("x-gzip", Some(Coding::Gzip)),
            ("br", None),
            ("identity", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=1.001", None),
            ("gzip;q=abc", None),
            ("gzip;q=0.0001", None),
            ("", None),
            (",;=,", None),
            ("gzip\u{e9}", None),
        ] {
            assert_eq!(accepted(&[header]), coding, "{header}");
        }
        assert_eq!(accepted(&[]), None);
        assert_eq!(accepted(&["br", "deflate"]), Some(Coding::Zlib));
    }

    proptest! {
        #[test]
        fn what_was_compressed_is_read_back(bytes: Vec<u8>) {
            let mut read = Vec::new();
            GzDecoder::new(&*Coding::Gzip.compress(&bytes, Compression::fast())).read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &bytes);
            read.clear();
            ZlibDecoder::new(&*Coding::Zlib.compress(&bytes, Compression::fast())).read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &bytes);
        }

        #[test]
        fn no_header_is_too_strange(line in "[a-z*;,=q0-9. ]{0,40}") {
            let _ = accepted(&[&line]);
        }
    }
}
