//! Figures for Prometheus, in its text format 0.0.4.

use crate::Response;
use crate::syntax::push_decimal;
use alloc::vec::Vec;
use fata_net::{Metric, MetricKind};

const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An answer with the figures of a program. Those of one name have to come in a row.
///
/// ```
/// use fata_http::{Router, metrics};
/// use fata_net::Stack;
/// use fata_tcpip::TcpIp;
///
/// # fn example(network: TcpIp) {
/// let pages = Router::new().get("/metrics", async move |_| {
///     Ok(metrics(network.statistics().metrics()))
/// });
/// # let _ = pages;
/// # }
/// ```
pub fn metrics(figures: impl IntoIterator<Item = Metric>) -> Response {
    let mut text = Vec::with_capacity(4 * 1024);
    let mut last = "";
    for metric in figures {
        if metric.name != last {
            last = metric.name;
            push_description(&mut text, &metric);
        }
        text.extend_from_slice(metric.name.as_bytes());
        if let Some((name, value)) = metric.label {
            push_all(&mut text, &["{", name, "=\""]);
            push_escaped(&mut text, value, true);
            push_all(&mut text, &["\"}"]);
        }
        text.push(b' ');
        push_decimal(&mut text, metric.value);
        text.push(b'\n');
    }
    Response::new(crate::Status::OK).body(MEDIA_TYPE, text)
}

fn push_description(text: &mut Vec<u8>, metric: &Metric) {
    push_all(text, &["# HELP ", metric.name, " "]);
    push_escaped(text, metric.help, false);
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    };
    push_all(text, &["\n# TYPE ", metric.name, " ", kind, "\n"]);
}

fn push_all(text: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        text.extend_from_slice(part.as_bytes());
    }
}

/// Backslashes and line feeds are escaped, and quotes where they would end the text.
fn push_escaped(text: &mut Vec<u8>, plain: &str, is_quoted: bool) {
    for byte in plain.bytes() {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'"' if is_quoted => text.extend_from_slice(b"\\\""),
            byte => text.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Content;

    #[test]
    fn the_text_format() {
        let labelled = |value| Metric {
            label: Some(("where", value)),
            ..Metric::new(
                "frames_total",
                MetricKind::Counter,
                "A \"line\"\nor \\ two.",
                7,
            )
        };
        let bare = Metric::new("open", MetricKind::Gauge, "Now.", 0);
        let response = metrics([labelled("in"), labelled("a\"b\\c\nd"), bare]);
        let Content::Bytes(text) = &response.content else {
            panic!("it has a body");
        };
        let expected = "# HELP frames_total A \"line\"\\nor \\\\ two.\n\
                        # TYPE frames_total counter\n\
                        frames_total{where=\"in\"} 7\n\
                        frames_total{where=\"a\\\"b\\\\c\\nd\"} 7\n\
                        # HELP open Now.\n\
                        # TYPE open gauge\n\
                        open 0\n";
        assert_eq!(core::str::from_utf8(text), Ok(expected));
    }
}
