import Addressing
import CLinux

/// A netlink request under construction: `nlmsghdr`, a family's header, attributes (netlink(7), "RFC 3549"). Numbers are in the
/// machine's byte order unless a protocol says otherwise.
struct NetlinkMessage: Hashable, Sendable {
    /// The whole message; its length and sequence number are only right in ``finished(sequence:)``.
    private(set) var bytes: [UInt8]

    /// Length of `nlmsghdr`.
    static let headerLength = 16

    /// A piece without a header, to be appended to a message.
    static var bare: NetlinkMessage {
        var piece = NetlinkMessage(type: 0, flags: 0)
        piece.bytes = []
        return piece
    }

    init(type: Int, flags: Int) {
        bytes = []
        bytes.reserveCapacity(256)
        append(UInt32(0))
        append(UInt16(type))
        append(UInt16(Int(NLM_F_REQUEST) | flags))
        append(UInt32(0))
        append(UInt32(0))
    }

    mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    mutating func append(bytes more: [UInt8]) { bytes += more }

    mutating func append(zeros count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    mutating func attribute(_ type: Int, _ value: some Collection<UInt8>) {
        let length = value.count + 4
        precondition(length <= Int(UInt16.max), "an attribute's length has 16 bits")
        append(UInt16(length))
        append(UInt16(type))
        bytes.append(contentsOf: value)
        pad()
    }

    mutating func attribute<Number: FixedWidthInteger>(_ type: Int, _ number: Number) {
        append(UInt16(MemoryLayout<Number>.size + 4))
        append(UInt16(type))
        append(number)
        pad()
    }

    /// A text with its closing zero.
    mutating func attribute(_ type: Int, text: String) { attribute(type, Array(text.utf8) + [0]) }

    mutating func attribute(_ type: Int, _ address: IPAddress) { attribute(type, address.octets) }

    mutating func attribute(_ type: Int, _ mac: MACAddress) { attribute(type, mac.octets) }

    /// An attribute that holds attributes. `isMarked` sets NLA_F_NESTED, which some of the kernel's readers ask for and one (a veth's peer,
    /// which starts with a header of its own) does not expect.
    mutating func nested(_ type: Int, isMarked: Bool = true, _ body: (inout NetlinkMessage) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(UInt16(isMarked ? type | Int(NLA_F_NESTED) : type))
        body(&self)
        let length = bytes.count - start
        precondition(length <= Int(UInt16.max), "an attribute's length has 16 bits")
        store(UInt16(length), at: start)
    }

    /// The message as it is sent.
    func finished(sequence: UInt32) -> [UInt8] {
        var message = self
        message.store(UInt32(bytes.count), at: 0)
        message.store(sequence, at: 8)
        return message.bytes
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    private mutating func store<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        withUnsafeBytes(of: number) { source in
            for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
        }
    }
}
