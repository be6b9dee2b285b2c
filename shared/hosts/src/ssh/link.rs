//! The stream below a connection: TCP, a channel of the connection to a jump host, or a command.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;

use russh::client::{self, Handle};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::process::Child;

use super::connection::{Connection, Failure};
use super::target::{Family, Target, Way};

/// What carries a connection, and ends when this is dropped. russh leaves its task running when the
/// caller gives up in the middle of a handshake; that would keep the connection open.
#[derive(Default)]
pub(super) struct Link {
    _socket: Option<Socket>,
    /// The connection to the jump host is this machine's alone: an unread channel of another would
    /// hold it up.
    _jump: Option<Arc<Connection>>,
    /// It is killed when it is dropped.
    _command: Option<Child>,
}

struct Socket(std::net::TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // An error means that it is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Opens the stream and does the key exchange, which ends with the handler's judgement. `jump` is
/// the connection to the jump host, where there is one on the way.
pub(super) async fn dial<H>(
    target: &Target,
    jump: Option<&Arc<Connection>>,
    config: client::Config,
    handler: H,
) -> Result<(Handle<H>, Link), Failure>
where
    H: client::Handler<Error = Failure> + 'static,
{
    let config = Arc::new(config);
    match (&target.way, jump) {
        (Way::Jump(_), Some(jump)) => {
            let opened = jump.handle().channel_open_direct_tcpip(
                &target.host,
                u32::from(target.port),
                // Who asks does not matter to OpenSSH, which logs it.
                "127.0.0.1",
                0,
            );
            let channel = opened.await.map_err(|error| {
                Failure::Final(target.unreachable(format!("the jump host opens no way: {error}")))
            })?;
            let link = Link {
                _jump: Some(Arc::clone(jump)),
                ..Link::default()
            };
            let handle = client::connect_stream(config, channel.into_stream(), handler).await?;
            Ok((handle, link))
        }
        (Way::Jump(_), None) => Err(Failure::Final(
            target.unreachable("there is no connection to its jump host"),
        )),
        (Way::Command(command), _) => {
            let mut child = tokio::process::Command::new("sh")
                .args(["-c", &format!("exec {command}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(Failure::cut)?;
            let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(Failure::Cut(russh::Error::Disconnect));
            };
            let stream = tokio::io::join(output, input);
            let handle = client::connect_stream(config, stream, handler).await?;
            let link = Link {
                _command: Some(child),
                ..Link::default()
            };
            Ok((handle, link))
        }
        (Way::Direct, _) => {
            let stream = connect(target)
                .await
                .map_err(|error| Failure::Final(target.unreachable(error)))?;
            let stream = stream.into_std().map_err(Failure::cut)?;
            let link = Link {
                _socket: Some(Socket(stream.try_clone().map_err(Failure::cut)?)),
                ..Link::default()
            };
            let stream = TcpStream::from_std(stream).map_err(Failure::cut)?;
            // `connect_stream` does not look at this setting.
            if config.nodelay {
                stream.set_nodelay(true).map_err(Failure::cut)?;
            }
            let handle = client::connect_stream(config, stream, handler).await?;
            Ok((handle, link))
        }
    }
}

/// Tries the addresses of the machine one after the other.
async fn connect(target: &Target) -> io::Result<TcpStream> {
    let Target { host, port, .. } = target;
    let own: Vec<SocketAddr> = match &target.bind {
        None => Vec::new(),
        Some(own) => lookup_host((&**own, 0)).await?.collect(),
    };
    // The address to connect from has a family, too.
    let own_for = |address: &SocketAddr| own.iter().find(|own| own.is_ipv4() == address.is_ipv4());
    let is_wanted = |address: &SocketAddr| match target.family {
        None => true,
        Some(Family::Inet) => address.is_ipv4(),
        Some(Family::Inet6) => address.is_ipv6(),
    };
    let is_reached = |address: &SocketAddr| own.is_empty() || own_for(address).is_some();
    let mut last = None;
    let addresses = lookup_host((&**host, *port)).await?;
    for address in addresses.filter(|address| is_wanted(address) && is_reached(address)) {
        let connected = match own_for(&address) {
            None => TcpStream::connect(address).await,
            Some(own) => connect_from(*own, address).await,
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let asked = [
            target.family.map(|family| match family {
                Family::Inet => "AddressFamily inet".to_owned(),
                Family::Inet6 => "AddressFamily inet6".to_owned(),
            }),
            target.bind.as_ref().map(|own| format!("BindAddress {own}")),
        ];
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        let asked = asked.join(" and ");
        io::Error::other(format!("{host} has no address for ssh's {asked}"))
    }))
}

async fn connect_from(own: SocketAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match own {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(own).map_err(|error| {
        io::Error::new(error.kind(), format!("BindAddress {}: {error}", own.ip()))
    })?;
    socket.connect(address).await
}
