import Addressing
import Glibc

/// ICMP echo messages (RFC 792) with a 32-bit sequence number of our own in their data, since the protocol's own has only 16 bits.
struct EchoMessage: Hashable, Sendable {
    static let reply: UInt8 = 0
    static let request: UInt8 = 8
    private static let headerBytes = 8
    private static let dataBytes = 16

    var type: UInt8
    var identifier: UInt16
    var sequence: UInt32

    var bytes: [UInt8] {
        var bytes: [UInt8] = [type, 0, 0, 0, UInt8(identifier >> 8), UInt8(identifier & 255)]
        bytes += [UInt8(sequence >> 8 & 255), UInt8(sequence & 255)]
        bytes += [24, 16, 8, 0].map { UInt8(sequence >> UInt32($0) & 255) }
        bytes += [UInt8](repeating: 0, count: Self.dataBytes - 4)
        let sum = InternetChecksum.of(bytes)
        bytes[2] = UInt8(sum >> 8)
        bytes[3] = UInt8(sum & 255)
        return bytes
    }

    init(type: UInt8, identifier: UInt16, sequence: UInt32) {
        self.type = type
        self.identifier = identifier
        self.sequence = sequence
    }

    /// Reads a packet with its IPv4 header, as a raw socket receives it; nil when it is not an echo message of this size.
    init?(packet: ArraySlice<UInt8>) {
        guard let first = packet.first else { return nil }
        let message = packet.dropFirst(Int(first & 15) * 4)
        guard message.count >= Self.headerBytes + 4 else { return nil }
        let bytes = Array(message.prefix(Self.headerBytes + 4))
        guard bytes[0] == Self.reply || bytes[0] == Self.request else { return nil }
        type = bytes[0]
        identifier = UInt16(bytes[4]) << 8 | UInt16(bytes[5])
        sequence = bytes[8...11].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
