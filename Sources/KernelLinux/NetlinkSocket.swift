import CLinux
import Glibc
import Synchronization

/// A netlink socket that stays in the namespace in which it was opened. Requests of several threads take turns.
///
///     send request(seq) ──► recv ──┬─ other seq ────────► recv   (left from an exchange that failed)
///                                  ├─ data ─────────────► collect, recv
///                                  ├─ DONE / ACK ───────► answer
///                                  ├─ ERROR ────────────► throw
///                                  └─ DUMP_INTR, ENOBUFS ► throw the collected away, send again (at most `dumpAttempts` times)
final class NetlinkSocket: Sendable {
    /// The kernel fills datagrams of a dump up to this size (netlink_dump in net/netlink/af_netlink.c).
    static let datagramBytes = 32 * 1024
    /// A table that changes while it is dumped is dumped again this often.
    static let dumpAttempts = 10
    /// The kernel answers within the send call; the limit only keeps a fault from hanging the caller for ever.
    static let timeoutMilliseconds = 10_000

    let descriptor: Int32
    private let sequence = Mutex<UInt32>(0)

    /// Opens a socket in the calling thread's namespace.
    init(protocol number: Int32) throws(NetlinkError) {
        let result = clinux_netlink_socket(number, 0, 0, Int32(Self.timeoutMilliseconds))
        guard result >= 0 else { throw NetlinkError(code: -result) }
        descriptor = result
    }

    deinit { close(descriptor) }

    /// Sends a request that changes something and waits for the kernel's acknowledgement.
    func perform(_ message: NetlinkMessage) throws(NetlinkError) {
        _ = try exchange(message) { _ in nil as Void? }
    }

    /// Sends a request with one answer.
    func get<Value>(_ message: NetlinkMessage, _ parse: (NetlinkReply) -> Value?) throws(NetlinkError) -> Value? {
        try exchange(message, parse).first
    }

    /// Everything that a dump shows.
    func dump<Value>(_ message: NetlinkMessage, _ parse: (NetlinkReply) -> Value?) throws(NetlinkError) -> [Value] {
        for _ in 1..<Self.dumpAttempts {
            do {
                return try exchange(message, parse)
            } catch {
                guard error.code == EINTR || error.code == ENOBUFS || error.code == EBUSY else { throw error }
            }
        }
        return try exchange(message, parse)
    }

    private func exchange<Value>(_ message: NetlinkMessage, _ parse: (NetlinkReply) -> Value?) throws(NetlinkError) -> [Value] {
        var values: [Value] = []
        let error = sequence.withLock { sequence -> NetlinkError? in
            sequence &+= 1
            do throws(NetlinkError) {
                try send(message.finished(sequence: sequence))
                try receive(sequence: sequence) { if let value = parse($0) { values.append(value) } }
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
        return values
    }

    private func send(_ bytes: [UInt8]) throws(NetlinkError) {
        let result = clinux_netlink_send(descriptor, bytes, bytes.count)
        guard result >= 0 else { throw NetlinkError(code: -result) }
    }

    private func receive(sequence: UInt32, _ body: (NetlinkReply) -> Void) throws(NetlinkError) {
        var wasInterrupted = false
        while true {
            for reply in NetlinkReply.split(try receiveDatagram()[...]) where reply.sequence == sequence {
                if reply.flags & Int(NLM_F_DUMP_INTR) != 0 { wasInterrupted = true }
                switch reply.type {
                case Int(NLMSG_ERROR), Int(NLMSG_DONE):
                    if let error = reply.error { throw error }
                    if wasInterrupted { throw NetlinkError(code: EINTR, sentence: "the table changed while it was read") }
                    return
                case Int(NLMSG_NOOP): continue
                default: body(reply)
                }
            }
        }
    }

    private func receiveDatagram() throws(NetlinkError) -> [UInt8] {
        var result: Int32 = 0
        let datagram = [UInt8](unsafeUninitializedCapacity: Self.datagramBytes) { area, count in
            result = clinux_netlink_receive(descriptor, area.baseAddress, area.count, 1)
            count = Int(max(result, 0))
        }
        guard result >= 0 else { throw NetlinkError(code: result == -EAGAIN ? ETIMEDOUT : -result) }
        return datagram
    }
}
