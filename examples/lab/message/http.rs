//! HTTP/1.1 requests and responses (RFC 9112), in the manner of the clients and servers of the stories.

use crate::stage::Nanos;

/// Which program writes the request: the set and order of its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// curl: Host, User-Agent, Accept.
    Curl,
    /// Python's urllib: Accept-Encoding first, Connection: close last.
    Urllib,
    /// Node.
    Node,
    /// Go's net/http.
    Go,
    /// Host and what the recipe says.
    Plain,
}

/// Which program writes the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Express on Node.
    Express,
    /// nginx.
    Nginx,
    /// What the recipe says.
    Plain,
}

/// A request in words.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a str,
    /// Request target.
    pub target: &'a str,
    /// Value of Host.
    pub host: &'a str,
    /// User-Agent, where it is not the client's own.
    pub user_agent: Option<&'a str>,
    /// Further lines.
    pub headers: &'a [String],
    /// Body.
    pub body: &'a [u8],
}

/// A response in words.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Further lines.
    pub headers: &'a [String],
    /// Body.
    pub body: &'a [u8],
}

/// The bytes of a request.
pub fn request(client: Client, request: &Request<'_>) -> Vec<u8> {
    let mut lines = vec![format!("{} {} HTTP/1.1", request.method, request.target)];
    let host = format!("Host: {}", request.host);
    let agent = |own: &str| format!("User-Agent: {}", request.user_agent.unwrap_or(own));
    let length = format!("Content-Length: {}", request.body.len());
    let form = "Content-Type: application/x-www-form-urlencoded".to_owned();
    let has_body = !request.body.is_empty();
    match client {
        Client::Curl => {
            lines.extend([host, agent("curl/8.5.0"), "Accept: */*".to_owned()]);
            if has_body {
                lines.extend([length, form]);
            }
        }
        Client::Urllib => {
            lines.push("Accept-Encoding: identity".to_owned());
            if has_body {
                lines.extend([form, length]);
            }
            lines.extend([host, agent("Python-urllib/3.12"), "Connection: close".to_owned()]);
        }
        Client::Node => {
            if let Some(agent) = request.user_agent {
                lines.push(format!("User-Agent: {agent}"));
            }
            lines.extend([host, "Connection: keep-alive".to_owned()]);
            if has_body {
                lines.push(length);
            }
        }
        Client::Go => {
            lines.extend([host, agent("Go-http-client/1.1")]);
            if has_body {
                lines.push(length);
            }
            lines.push("Accept-Encoding: gzip".to_owned());
        }
        Client::Plain => {
            lines.push(host);
            if let Some(agent) = request.user_agent {
                lines.push(format!("User-Agent: {agent}"));
            }
            if has_body {
                lines.push(length);
            }
        }
    }
    lines.extend_from_slice(request.headers);
    message(&lines, request.body)
}

/// The bytes of a response sent at `at`; `tag` makes an entity tag of Express.
pub fn response(server: Server, response: &Response<'_>, at: Nanos, tag: &str) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {} {}", response.status, reason(response.status))];
    let date = format!("Date: {}", date(at));
    let length = format!("Content-Length: {}", response.body.len());
    match server {
        Server::Express => {
            lines.push("X-Powered-By: Express".to_owned());
            lines.push("Content-Type: text/html; charset=utf-8".to_owned());
            lines.push(length);
            lines.push(format!("ETag: W/\"{:x}-{tag}\"", response.body.len()));
            lines.extend([date, "Connection: keep-alive".to_owned(), "Keep-Alive: timeout=5".to_owned()]);
        }
        Server::Nginx => {
            lines.extend(["Server: nginx".to_owned(), date]);
            lines.extend(["Content-Type: application/octet-stream".to_owned(), length]);
            lines.push("Connection: keep-alive".to_owned());
        }
        Server::Plain => lines.push(length),
    }
    lines.extend_from_slice(response.headers);
    message(&lines, response.body)
}

fn message(lines: &[String], body: &[u8]) -> Vec<u8> {
    let mut bytes = lines.join("\r\n").into_bytes();
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.extend_from_slice(body);
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        _ => "Unknown",
    }
}

/// The HTTP date of a moment: `Tue, 31 Mar 2026 01:30:51 GMT`.
fn date(at: Nanos) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at))
        .map(|moment| moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_of_the_axios_case_has_181_bytes() {
        let bytes = request(
            Client::Curl,
            &Request {
                method: "POST",
                target: "/6202033",
                host: "sfrclak.com:8000",
                user_agent: None,
                headers: &[],
                body: b"packages.npm.org/product2",
            },
        );
        assert_eq!(bytes.len(), 181);
    }
}
