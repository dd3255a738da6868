import CLinux
import Glibc

/// Hears of one thing in all of a host's namespaces: a netlink socket that is subscribed to a group everywhere.
///
/// For each message that the kernel has for anybody it walks over all sockets of the machine that listen to any group of the protocol, whichever
/// namespace they are in (netlink_broadcast_filtered in net/netlink/af_netlink.c). A socket in each namespace, of which a host with hundreds of routers has
/// hundreds, would make every address and route dearer that a router sets when it becomes the master, and every connection that conntrackd is told of.
///
/// The socket hears of the namespaces that have a number in its own (NETLINK_LISTEN_ALL_NSID, netlink(7)), and gets the number with each message. It keeps
/// no namespace alive.
struct NamespaceListener {
    /// What a read brought.
    enum Reading {
        /// A datagram about the namespace with this number; nil: the socket's own.
        case datagram(ArraySlice<UInt8>, of: Int32?)
        /// The buffer was full: messages about any namespace are lost.
        case loss
        /// Nothing waits.
        case empty
    }

    let descriptor: Int32
    private var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)

    /// Opens the socket in the calling thread's namespace.
    ///
    /// - Parameter bufferBytes: what may wait to be read; it takes memory only while it is in use.
    init(protocol number: Int32, groups: UInt32, bufferBytes: Int) throws(NetlinkError) {
        descriptor = clinux_netlink_socket(number, groups, Int32(bufferBytes), 0)
        guard descriptor >= 0 else { throw NetlinkError(code: -descriptor) }
        let result = clinux_netlink_listen_everywhere(descriptor)
        guard result >= 0 else {
            close(descriptor)
            throw NetlinkError(code: -result)
        }
    }

    mutating func read() -> Reading {
        var number: Int32 = -1
        let result = clinux_netlink_receive_numbered(descriptor, &area, area.count, &number)
        if result == -EAGAIN { return .empty }
        if result < 0 { return .loss }
        return .datagram(area[..<Int(result)], of: number >= 0 ? number : nil)
    }
}
