import Addressing
import CLinux

/// One message that the kernel sent: its header's fields and what follows the header.
struct NetlinkReply: Sendable {
    var type: Int
    var flags: Int
    var sequence: UInt32
    var payload: ArraySlice<UInt8>

    /// The messages in one datagram. Reading stops at a message whose length cannot be right.
    static func split(_ datagram: ArraySlice<UInt8>) -> [NetlinkReply] {
        var replies: [NetlinkReply] = []
        var rest = datagram
        while rest.count >= NetlinkMessage.headerLength {
            let length = Int(rest.number(at: 0, as: UInt32.self))
            guard length >= NetlinkMessage.headerLength, length <= rest.count else { break }
            replies.append(
                NetlinkReply(
                    type: Int(rest.number(at: 4, as: UInt16.self)), flags: Int(rest.number(at: 6, as: UInt16.self)),
                    sequence: rest.number(at: 8, as: UInt32.self),
                    payload: rest.dropFirst(NetlinkMessage.headerLength).prefix(length - NetlinkMessage.headerLength)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return replies
    }

    /// The attributes behind a family's header of the given length.
    func attributes(after headerLength: Int) -> NetlinkAttributes { NetlinkAttributes(bytes: payload.dropFirst(headerLength)) }

    /// What NLMSG_ERROR or NLMSG_DONE says: nil for success (an acknowledgement, the end of a dump without error).
    var error: NetlinkError? {
        guard payload.count >= 4 else { return nil }
        let code = -payload.number(at: 0, as: Int32.self)
        guard code != 0 else { return nil }
        // An error repeats the request's header (NETLINK_CAP_ACK: without its body); the end of a dump does not.
        let fixed = type == Int(NLMSG_ERROR) ? 4 + NetlinkMessage.headerLength : 4
        var sentence: String?
        if flags & Int(NLM_F_ACK_TLVS) != 0 {
            for (type, value) in attributes(after: fixed) where type == Int(NLMSGERR_ATTR_MSG.rawValue) { sentence = value.text }
        }
        return NetlinkError(code: code, sentence: sentence)
    }
}

/// An error of the kernel, with its own words (extended acknowledgement) where it has some.
struct NetlinkError: Error, Hashable, Sendable {
    var code: Int32
    var sentence: String?
}

/// Attributes in a row: type (without flags) and value.
struct NetlinkAttributes: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>

    init(bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> (type: Int, value: ArraySlice<UInt8>)? {
        guard rest.count >= 4 else { return nil }
        let length = Int(rest.number(at: 0, as: UInt16.self))
        let type = Int(rest.number(at: 2, as: UInt16.self)) & attributeTypeMask
        guard length >= 4, length <= rest.count else { return nil }
        let value = rest.dropFirst(4).prefix(length - 4)
        rest = rest.dropFirst((length + 3) & ~3)
        return (type, value)
    }
}

/// `NLA_TYPE_MASK`, whose C macro Swift cannot read: everything but NLA_F_NESTED and NLA_F_NET_BYTEORDER.
private let attributeTypeMask = 0x3FFF

/// Reading values out of a message. What is too short reads as zero or nil: a kernel that sends less than we know is older than we are.
extension ArraySlice<UInt8> {
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        guard count >= offset + MemoryLayout<Number>.size else { return 0 }
        var number: Number = 0
        Swift.withUnsafeMutableBytes(of: &number) { target in
            for index in 0..<MemoryLayout<Number>.size { target[index] = self[startIndex + offset + index] }
        }
        return number
    }

    var uint8: UInt8 { first ?? 0 }
    var uint16: UInt16 { number(at: 0, as: UInt16.self) }
    var uint32: UInt32 { number(at: 0, as: UInt32.self) }
    var int32: Int32 { number(at: 0, as: Int32.self) }

    /// A text up to its closing zero.
    var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }

    var attributes: NetlinkAttributes { NetlinkAttributes(bytes: self) }

    /// Four or sixteen octets.
    var address: IPAddress? {
        guard count == 4 || count == 16 else { return nil }
        return IPAddress(version: count == 4 ? .v4 : .v6, number: reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
    }

    /// Six octets.
    var mac: MACAddress? { count == 6 ? MACAddress(rawValue: reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) : nil }
}
