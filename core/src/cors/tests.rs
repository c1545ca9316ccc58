//! What pages may do, what patterns match, what answers say.

use std::panic::catch_unwind;

use http::Request;
use proptest::prelude::*;

use super::{
    origin::{host_matches, is_host_byte},
    *,
};

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut builder = Request::builder().uri("/socket.io/?EIO=4");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn from(origin: &str) -> Parts {
    request(&[("host", "server.example"), ("origin", origin)])
}

fn allows(cors: &Cors, origin: &str) -> bool {
    cors.check(&from(origin)) == Verdict::Allowed(origin.parse().unwrap())
}

fn written(cors: &Cors, parts: &Parts) -> HeaderMap {
    let mut headers = HeaderMap::new();
    cors.write_headers(&cors.check(parts), &mut headers);
    headers
}

fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, value.parse().unwrap());
    }
    map
}

#[test]
fn same_origin_is_host_and_port_whatever_the_scheme() {
    #[rustfmt::skip]
    let cases = [
        // Origin, Host, same?
        ("https://a.example", "a.example", true),
        ("http://a.example", "a.example", true),
        ("https://a.example", "a.example:443", true),
        ("https://a.example:443", "a.example", true),
        ("http://a.example", "a.example:80", true),
        ("https://a.example", "a.example:", true),
        ("https://a.example", "a.example:80", false),
        ("http://a.example", "a.example:443", false),
        ("http://a.example:443", "a.example", false),
        ("http://localhost:3000", "localhost:3000", true),
        ("http://localhost:3000", "localhost:3001", false),
        ("http://localhost:3000", "localhost", false),
        ("http://localhost", "localhost:3000", false),
        ("https://A.Example", "a.eXAMPLE", true),
        ("http://[::1]:3000", "[::1]:3000", true),
        ("http://[::1]", "[::1]", true),
        ("https://[2001:DB8::1]", "[2001:db8::1]:443", true),
        ("http://[::1]", "[::2]", false),
        ("http://[::1]:3000", "[::1]", false),
        ("https://a.example.evil.org", "a.example", false),
        ("https://a.example", "a.example.evil.org", false),
        ("https://evil.org", "a.example", false),
        ("https://sub.a.example", "a.example", false),
        ("https://a.example@evil.org", "a.example", false),
        ("https://a.example/", "a.example", false),
        ("https://a.example:99999", "a.example:99999", false),
        ("https://a.example:+443", "a.example", false),
        ("https://a.example:1:2", "a.example:1:2", false),
        ("https://", "", false),
        ("https://:443", ":443", false),
        ("a.example", "a.example", false),
        ("null", "null", false),
        ("file://", "", false),
        ("capacitor://localhost", "localhost", false),
        ("http://a.example, http://a.example", "a.example", false),
    ];
    for (origin, host, same) in cases {
        let parts = request(&[("host", host), ("origin", origin)]);
        assert_eq!(Cors::default().check(&parts).admits(), same, "{origin} on {host}");
    }
}

#[test]
fn http2_authority_counts_as_the_host() {
    let mut parts = request(&[("origin", "https://a.example"), ("host", "evil.org")]);
    parts.uri = "https://a.example/socket.io/".parse().unwrap();
    assert_eq!(Cors::default().check(&parts), Verdict::SameOriginOrNone);
    parts.uri = "https://b.example/socket.io/".parse().unwrap();
    assert_eq!(Cors::default().check(&parts), Verdict::Refused);
}

#[test]
fn no_origin_passes_and_no_host_does_not_match() {
    assert_eq!(Cors::default().check(&request(&[])), Verdict::SameOriginOrNone);
    assert_eq!(
        Cors::default().check(&request(&[("origin", "http://a.example")])),
        Verdict::Refused
    );
    let twice = request(&[
        ("host", "a.example"),
        ("host", "a.example"),
        ("origin", "http://a.example"),
    ]);
    assert_eq!(Cors::default().check(&twice), Verdict::Refused);
}

#[test]
fn several_or_unreadable_origins_are_malformed_whatever_the_rules() {
    for cors in [Cors::same_origin(), Cors::any(), Cors::origins(["null"])] {
        let twice = request(&[
            ("host", "a.example"),
            ("origin", "http://a.example"),
            ("origin", "http://a.example"),
        ]);
        assert_eq!(cors.check(&twice), Verdict::Malformed);
        for bytes in [
            &b""[..],
            b"http://a.example http://b",
            b"http://a\tb",
            b"http://caf\xe9.example",
            b"\xff",
        ] {
            let mut parts = request(&[("host", "a.example")]);
            parts.headers.insert(ORIGIN, HeaderValue::from_bytes(bytes).unwrap());
            assert_eq!(cors.check(&parts), Verdict::Malformed, "{bytes:?}");
            assert!(!cors.check(&parts).admits());
        }
    }
}

#[test]
fn forwarded_host_counts_only_if_trusted() {
    #[rustfmt::skip]
    let cases = [
        ("a.example", true),
        ("a.example, proxy", true),
        ("proxy, a.example", false),
        ("a.example:8443", false),
    ];
    for (forwarded, same) in cases {
        let parts = request(&[
            ("host", "inner:80"),
            ("x-forwarded-host", forwarded),
            ("origin", "https://a.example"),
        ]);
        assert!(!Cors::same_origin().check(&parts).admits(), "{forwarded}");
        assert_eq!(
            Cors::same_origin().trust_forwarded(true).check(&parts).admits(),
            same,
            "{forwarded}"
        );
    }
    let inner = request(&[
        ("host", "inner"),
        ("x-forwarded-host", "a.example"),
        ("origin", "https://inner"),
    ]);
    assert!(!Cors::same_origin().trust_forwarded(true).check(&inner).admits());
    let direct = request(&[("host", "a.example"), ("origin", "https://a.example")]);
    assert!(Cors::same_origin().trust_forwarded(true).check(&direct).admits());
}

#[test]
fn listed_origins_are_exact_but_for_case() {
    let cors = Cors::origins([
        "https://App.example/",
        "http://localhost:3000",
        "https://b.example:443",
        "null",
        "file://",
    ])
    .or_origins(["capacitor://localhost", "http://[::1]:8080", "file:///"]);
    for origin in [
        "https://app.example",
        "https://APP.EXAMPLE",
        "http://localhost:3000",
        "https://b.example",
        "null",
        "file://",
        "capacitor://localhost",
        "http://[::1]:8080",
    ] {
        assert!(allows(&cors, origin), "{origin}");
    }
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.org",
        "https://x.app.example",
        "https://app.example/",
        "http://localhost",
        "capacitor://localhost:1",
        "file:///etc/passwd",
        "nul",
        "*",
    ] {
        assert_eq!(cors.check(&from(origin)), Verdict::Refused, "{origin}");
    }
    assert!(cors.check(&from("https://server.example")).admits());
}

#[test]
fn patterns_match_whole_origins() {
    #[rustfmt::skip]
    let cases = [
        ("https://*.example.com", "https://a.example.com", true),
        ("https://*.example.com", "https://a.b.example.com", true),
        ("https://*.example.com", "https://A.EXAMPLE.com", true),
        ("HTTPS://*.Example.com/", "https://a.example.com", true),
        ("https://*.example.com:443", "https://a.example.com", true),
        ("https://*.example.com", "https://example.com", false),
        ("https://*.example.com", "https://.example.com", false),
        ("https://*.example.com", "https://evil-example.com", false),
        ("https://*.example.com", "https://example.com.evil.org", false),
        ("https://*.example.com", "https://a.example.com.evil.org", false),
        ("https://*.example.com", "https://evil.org/.example.com", false),
        ("https://*.example.com", "https://evil.org?.example.com", false),
        ("https://*.example.com", "https://evil.org#.example.com", false),
        ("https://*.example.com", "https://evil.org@a.example.com", false),
        ("https://*.example.com", "https://evil.org:1.example.com", false),
        ("https://*.example.com", "https://evil.org\\.example.com", false),
        ("https://*.example.com", "https://[::1].example.com", false),
        ("https://*.example.com", "http://a.example.com", false),
        ("https://*.example.com", "https://a.example.com:8443", false),
        ("https://*.example.com", "xhttps://a.example.com", false),
        ("https://*.example.com", "null", false),
        ("https://*.example.com:8443", "https://a.example.com:8443", true),
        ("https://*.example.com:8443", "https://a.example.com", false),
        ("https://*.example.com:*", "https://a.example.com:1", true),
        ("https://*.example.com:*", "https://a.example.com", false),
        ("http://localhost:*", "http://localhost:5173", true),
        ("http://localhost:*", "http://localhost:evil.org", false),
        ("http://localhost:*", "http://localhost.evil.org:80", false),
        ("http://[::1]:*", "http://[::1]:5173", true),
        ("https://pr-*.a.example", "https://pr-7.a.example", true),
        ("https://pr-*.a.example", "https://pr-.a.example", false),
        ("https://pr-*.a.example", "https://xpr-7.a.example", false),
        ("https://*.eu.*.a.example", "https://x.eu.y.a.example", true),
        ("https://*.eu.*.a.example", "https://x.eu.eu.a.example", true),
        ("https://*.eu.*.a.example", "https://x.eu.a.example", false),
        ("https://**.a.example", "https://xy.a.example", true),
        ("https://**.a.example", "https://x.a.example", false),
        ("https://*", "https://anything.example", true),
        ("https://*", "https://anything.example:8443", false),
        ("https://*", "https://[::1]", false),
        ("chrome-extension://*", "chrome-extension://abcdef", true),
    ];
    for (pattern, origin, expected) in cases {
        assert_eq!(
            allows(&Cors::matching(pattern), origin),
            expected,
            "{pattern} on {origin}"
        );
    }
}

#[test]
fn a_predicate_sees_the_origin_and_the_request_but_cannot_refuse_the_same_origin() {
    let cors = Cors::predicate(|origin, parts| origin.ends_with(".example") && parts.uri.path() == "/socket.io/");
    assert!(allows(&cors, "https://a.example"));
    assert_eq!(cors.check(&from("https://a.org")), Verdict::Refused);
    let never = Cors::predicate(|_, _| false);
    assert_eq!(never.check(&from("https://server.example")), Verdict::SameOriginOrNone);
}

#[test]
fn rules_add_up() {
    let cors = Cors::matching("https://*.a.example")
        .or_origins(["https://b.example"])
        .or_predicate(|origin, _| origin == "c:");
    for origin in ["https://x.a.example", "https://b.example", "c:"] {
        assert!(allows(&cors, origin), "{origin}");
    }
    assert!(!allows(&cors, "https://c.example"));
    assert!(allows(&Cors::any(), "null"));
}

#[test]
fn useless_settings_panic_with_the_input_and_the_remedy() {
    type Case = (fn() -> Cors, &'static [&'static str]);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (|| Cors::origins(["*"]), &["`*`", "Cors::any()"]),
        (|| Cors::origins(["https://*.a"]), &["`https://*.a`", "or_matching"]),
        (|| Cors::origins(["app.example"]), &["`app.example`", "no scheme"]),
        (|| Cors::origins([""]), &["``", "no scheme"]),
        (|| Cors::origins(["https://"]), &["leave out"]),
        (|| Cors::origins(["https://a/b"]), &["`https://a/b`", "leave out paths"]),
        (|| Cors::origins(["https://a//"]), &["leave out paths"]),
        (|| Cors::origins(["https://u@a"]), &["leave out"]),
        (|| Cors::origins(["https://a?b"]), &["leave out"]),
        (|| Cors::origins(["https://bücher.example"]), &["bücher", "xn--"]),
        (|| Cors::origins(["https://a:b"]), &["port"]),
        (|| Cors::origins(["https://a:65536"]), &["65535"]),
        (|| Cors::origins(["https://a b"]), &["leave out"]),
        (|| Cors::origins(["1x://a"]), &["scheme"]),
        (|| Cors::origins(["https://[::1"]), &["port"]),
        (|| Cors::origins(["https://::1"]), &["port"]),
        (|| Cors::matching("*"), &["Cors::any()"]),
        (|| Cors::matching("https://a.example"), &["no `*`", "or_origins"]),
        (|| Cors::matching("*.example.com"), &["no scheme"]),
        (|| Cors::matching("*://a.example"), &["each scheme"]),
        (|| Cors::matching("https://*example.com"), &["strangers", "predicate"]),
        (|| Cors::matching("https://*.a.*"), &["strangers"]),
        (|| Cors::matching("http://10.0.0.*"), &["strangers"]),
        (|| Cors::matching("https://*."), &["strangers"]),
        (|| Cors::matching("https://*.a/b"), &["leave out"]),
        (|| Cors::matching("https://*.a:8*"), &["port"]),
        (|| Cors::matching("https://*.a:1:*"), &["leave out"]),
        (|| Cors::matching("https://:*"), &["leave out"]),
        (|| Cors::any().allow_headers(["a b"]), &["`a b`", "header name"]),
        (|| Cors::any().expose_headers([""]), &["``", "header name"]),
    ];
    for (index, (configure, texts)) in cases.iter().enumerate() {
        let panic = catch_unwind(configure).expect_err(&format!("case {index}"));
        let message = panic.downcast_ref::<String>().unwrap();
        for text in *texts {
            assert!(message.contains(text), "{text} in {message}");
        }
    }
}

#[test]
fn answers_name_the_origin_and_vary_by_it() {
    let allowed = from("https://a.example");
    let refused = from("https://b.example");
    let plain = Cors::origins(["https://a.example"]);
    let full = plain.clone().credentials(true).expose_headers(["X-A", "x-b"]);
    let vary = map(&[("vary", "Origin")]);

    assert_eq!(written(&Cors::same_origin(), &allowed), map(&[]));
    assert_eq!(
        written(&plain, &allowed),
        map(&[("vary", "Origin"), ("access-control-allow-origin", "https://a.example")])
    );
    assert_eq!(
        written(&full, &allowed),
        map(&[
            ("vary", "Origin"),
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-a,x-b"),
        ])
    );
    for parts in [
        refused,
        request(&[]),
        from("https://server.example"),
        request(&[("origin", "")]),
    ] {
        assert_eq!(written(&full, &parts), vary, "{parts:?}");
    }
    assert_eq!(
        written(&Cors::any(), &allowed)[ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://a.example"
    );
    // Same host, other scheme: let in anyway, and its browser is told if it is listed.
    assert!(allows(&Cors::any(), "http://server.example"));
}

#[test]
fn another_vary_is_kept() {
    let cors = Cors::any();
    let mut headers = map(&[("vary", "Accept-Encoding")]);
    cors.write_headers(&cors.check(&from("https://a.example")), &mut headers);
    assert!(headers.get_all(VARY).iter().eq(["Accept-Encoding", "Origin"]));
}

fn preflight(cors: &Cors, headers: &[(&str, &str)]) -> HeaderMap {
    let mut parts = request(headers);
    parts.method = Method::OPTIONS;
    parts
        .headers
        .insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
    let response = cors.preflight(&parts).unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    response.headers().clone()
}

#[test]
fn an_allowed_preflight_gets_everything_the_browser_asks() {
    let asked = [
        ("origin", "https://a.example"),
        ("access-control-request-headers", "x-foo, content-type"),
    ];
    assert_eq!(
        preflight(&Cors::origins(["https://a.example"]).credentials(true), &asked),
        map(&[
            ("content-length", "0"),
            ("vary", "Origin"),
            ("vary", "Access-Control-Request-Headers"),
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
            ("access-control-allow-headers", "x-foo, content-type"),
        ])
    );
    let fixed = Cors::any()
        .allow_headers(["X-B", "x-c"])
        .expose_headers(["x-d"])
        .max_age(Duration::from_millis(1500));
    assert_eq!(
        preflight(&fixed, &asked),
        map(&[
            ("content-length", "0"),
            ("vary", "Origin"),
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
            ("access-control-allow-headers", "x-b,x-c"),
            ("access-control-max-age", "1"),
        ])
    );
    assert!(!preflight(&Cors::any().allow_headers([""; 0]), &asked).contains_key(ACCESS_CONTROL_ALLOW_HEADERS));
}

#[test]
fn a_refused_preflight_gets_no_allow_header() {
    let asked = [
        ("origin", "https://evil.org"),
        ("access-control-request-headers", "x-foo"),
    ];
    assert_eq!(preflight(&Cors::same_origin(), &asked), map(&[("content-length", "0")]));
    let listed = Cors::origins(["https://a.example"])
        .allow_headers(["x-a"])
        .credentials(true);
    assert_eq!(
        preflight(&listed, &asked),
        map(&[("content-length", "0"), ("vary", "Origin")])
    );
}

#[test]
fn odd_requested_headers_are_not_reflected() {
    for odd in ["x-a: b", "<script>", "x\"y", "caf\u{e9}"] {
        let headers = preflight(
            &Cors::any(),
            &[("origin", "https://a.example"), ("access-control-request-headers", odd)],
        );
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_HEADERS), "{odd}");
    }
}

#[test]
fn only_options_with_a_requested_method_is_a_preflight() {
    let mut parts = from("https://a.example");
    parts
        .headers
        .insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
    assert!(Cors::any().preflight(&parts).is_none());
    parts.method = Method::OPTIONS;
    assert!(Cors::any().preflight(&parts).is_some());
    parts.headers.remove(ACCESS_CONTROL_REQUEST_METHOD);
    assert!(Cors::any().preflight(&parts).is_none());
}

#[test]
fn debug_shows_the_rules() {
    let text = format!("{:?}", Cors::origins(["https://a.example"]).or_predicate(|_, _| true));
    assert!(
        text.contains("https://a.example") && text.contains("Predicate"),
        "{text}"
    );
}

/// What a host pattern means, said by trying every split.
fn naive(pattern: &[u8], host: &[u8]) -> bool {
    match pattern {
        [] => host.is_empty(),
        [b'*', rest @ ..] => {
            (1..=host.len()).any(|n| host[..n].iter().all(|&b| is_host_byte(b)) && naive(rest, &host[n..]))
        }
        [byte, rest @ ..] => host.first() == Some(byte) && naive(rest, &host[1..]),
    }
}

proptest! {
    #[test]
    fn host_patterns_mean_what_they_say(pattern in "[ab.*]{1,8}", host in "[ab./]{0,10}") {
        prop_assert_eq!(
            host_matches(&pattern, &host),
            naive(pattern.as_bytes(), host.as_bytes()),
            "{} on {}", pattern, host
        );
    }

    #[test]
    fn any_bytes_are_judged_without_panic(
        values in prop::array::uniform4(
            prop::collection::vec(prop_oneof![b' '..=b'~', 0x80..=0xffu8], 0..40)
        )
    ) {
        let mut parts = request(&[("access-control-request-method", "POST")]);
        parts.method = Method::OPTIONS;
        let names = ["origin", "host", "x-forwarded-host", "access-control-request-headers"];
        for (name, value) in names.into_iter().zip(&values) {
            parts.headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        let forwarded = Cors::matching("https://*.a.example:*").trust_forwarded(true);
        for cors in [Cors::any(), forwarded, Cors::origins(["null"])] {
            written(&cors, &parts);
            prop_assert!(cors.preflight(&parts).is_some());
        }
    }

    #[test]
    fn origins_close_to_real_ones_are_judged_without_panic(
        origin in "(https?|capacitor)?(://)?[a-b.:@/\\[\\]*0-9]{0,12}",
        host in "[a-b.:@/\\[\\]0-9]{0,12}",
    ) {
        let parts = request(&[("origin", &origin), ("host", &host)]);
        written(&Cors::matching("http://*.b:*"), &parts);
    }

    #[test]
    fn no_stranger_matches_a_pattern_for_a_domain(
        host in "[a-z.:/@_-]{0,12}(example\\.com)?[a-z.:/@-]{0,6}"
    ) {
        let cors = Cors::matching("https://*.example.com");
        let origin = format!("https://{host}");
        if allows(&cors, &origin) {
            // RFC 3986 lets the port be empty.
            let host = host.strip_suffix(':').unwrap_or(&host);
            prop_assert!(host.ends_with(".example.com"));
            prop_assert!(!host.contains(['/', ':', '@']));
        }
    }
}

#[test]
fn scripts_of_other_pages_are_admitted_where_the_page_is() {
    let own = Cors::same_origin();
    let partner = Cors::origins(["https://partner.example"]);
    #[rustfmt::skip]
    let cases = [
        // Referer, Sec-Fetch-Site, alone?, with the partner?
        (None, None, true, true),
        (None, Some("same-origin"), true, true),
        (None, Some("none"), true, true),
        (None, Some("same-site"), false, false),
        (None, Some("cross-site"), false, false),
        (Some("https://server.example/a?b#c"), None, true, true),
        (Some("https://server.example/"), Some("same-origin"), true, true),
        (Some("https://partner.example/page"), Some("cross-site"), false, true),
        (Some("https://partner.example"), None, false, true),
        (Some("https://evil.example/https://partner.example/"), None, false, false),
        (Some("https://evil.example/"), Some("same-origin"), false, false),
        (Some("nonsense"), Some("cross-site"), false, false),
    ];
    for (referrer, site, alone, with_partner) in cases {
        let mut headers = vec![("host", "server.example")];
        headers.extend(referrer.map(|referrer| ("referer", referrer)));
        headers.extend(site.map(|site| ("sec-fetch-site", site)));
        let parts = request(&headers);
        let admitted = (own.admits_script(&parts), partner.admits_script(&parts));
        assert_eq!(admitted, (alone, with_partner), "{referrer:?} {site:?}");
    }
}
