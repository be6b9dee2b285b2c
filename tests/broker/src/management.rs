//! The HTTP API of a broker, <https://www.rabbitmq.com/docs/management#http-api>.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The user that a new node has, `guest:guest`, as HTTP's basic authentication.
const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// One call. Answers with the status and the body.
pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    // HTTP/1.0: the answer ends with the connection.
    let request = format!(
        "{method} /api/{path} HTTP/1.0\r\nAuthorization: {AUTHORIZATION}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match status {
        Some(status) => Ok((status, body.to_owned())),
        None => Err(io::Error::other(format!("this is no answer: {answer:?}"))),
    }
}
