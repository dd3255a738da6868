import CLinux
import Glibc

/// Tells that links changed in other namespaces: one netlink socket for all of them.
///
/// For each message of rtnetlink the kernel walks over all sockets of the machine that listen to any group of it, whichever namespace they are in
/// (netlink_broadcast_filtered in net/netlink/af_netlink.c). A socket in each namespace, of which a host with hundreds of routers has hundreds, makes
/// every address and route dearer that a router sets when it becomes the master.
///
/// The socket hears of the namespaces that have a number in its own (NETLINK_LISTEN_ALL_NSID, netlink(7)), and gets the number with each message. It keeps
/// no namespace alive.
struct NamespaceLinks {
    /// Some thousand events, for namespaces that are made in large numbers. It takes memory only while it is in use.
    static let bufferBytes = 2 * 1024 * 1024

    /// What one datagram tells.
    enum Event: Hashable {
        /// A link changed in the namespace with this number.
        case changed(Int32)
        /// Of the own namespace, or the kernel dropped events: of all namespaces anything may have changed when `isLoss`.
        case other(isLoss: Bool)
    }

    let descriptor: Int32
    /// For questions about numbers.
    private let requests: NetlinkSocket

    /// Opens the socket in the calling thread's namespace.
    init() throws(NetlinkError) {
        requests = try NetlinkSocket(protocol: NETLINK_ROUTE)
        descriptor = clinux_netlink_socket(NETLINK_ROUTE, UInt32(RTMGRP_LINK), Int32(Self.bufferBytes), 0)
        guard descriptor >= 0 else { throw NetlinkError(code: -descriptor) }
        let result = clinux_netlink_listen_everywhere(descriptor)
        guard result >= 0 else {
            close(descriptor)
            throw NetlinkError(code: -result)
        }
    }

    /// The number of a namespace that a descriptor stands for, which gets one if it has none; nil when it ended meanwhile.
    func number(of namespace: Int32) -> Int32? {
        do throws(NetlinkError) {
            try requests.perform(LinkMessages.namespaceNumbering(descriptor: namespace))
        } catch {
            // It has one: veth pairs between two namespaces give one to each.
            guard error.code == EEXIST else { return nil }
        }
        do throws(NetlinkError) {
            return try requests.get(LinkMessages.namespaceID(descriptor: namespace), LinkMessages.parseNamespaceID)
        } catch {
            return nil
        }
    }

    /// The next datagram; nil when none waits.
    func read(_ area: inout [UInt8]) -> Event? {
        var number: Int32 = -1
        let result = clinux_netlink_receive_numbered(descriptor, &area, area.count, &number)
        if result == -EAGAIN { return nil }
        if result < 0 { return .other(isLoss: true) }
        return number >= 0 ? .changed(number) : .other(isLoss: false)
    }
}
