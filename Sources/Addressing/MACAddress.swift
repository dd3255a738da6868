/// A 48-bit Ethernet address.
public struct MACAddress: Hashable, Sendable, Comparable {
    /// The address in the low 48 bits, most significant octet first.
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        precondition(rawValue >> 48 == 0, "a MAC address has 48 bits")
        self.rawValue = rawValue
    }

    /// Parses six two-digit hexadecimal octets separated by colons.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 17 else { return nil }
        var value: UInt64 = 0
        for (index, byte) in text.utf8.enumerated() {
            if index % 3 == 2 {
                guard byte == UInt8(ascii: ":") else { return nil }
            } else {
                guard let digit = hexadecimalDigit(byte) else { return nil }
                value = value << 4 | UInt64(digit)
            }
        }
        rawValue = value
    }

    /// The six octets in network order.
    public var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: rawValue >> UInt64(40 - 8 * $0)) } }

    public var isMulticast: Bool { rawValue >> 40 & 1 == 1 }

    public static let zero = MACAddress(rawValue: 0)
    public static let broadcast = MACAddress(rawValue: 0xFFFF_FFFF_FFFF)

    /// The interface identifier that SLAAC derives (RFC 4291, appendix A), put behind the /64 of `prefix`.
    public func eui64(in prefix: IPPrefix) -> IPAddress? {
        guard case .v6(let network) = prefix.address, prefix.length <= 64 else { return nil }
        let high = (rawValue >> 24) ^ 0x02_0000
        let identifier = high << 40 | 0xFFFE << 24 | rawValue & 0xFF_FFFF
        return .v6(IPv6Address(rawValue: network.rawValue | UInt128(identifier)))
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension MACAddress: CustomStringConvertible {
    public var description: String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 17) { buffer in
            for index in 0..<6 {
                let octet = UInt8(truncatingIfNeeded: rawValue >> UInt64(40 - 8 * index))
                buffer[index * 3] = digits.utf8Start[Int(octet >> 4)]
                buffer[index * 3 + 1] = digits.utf8Start[Int(octet & 15)]
                if index < 5 { buffer[index * 3 + 2] = UInt8(ascii: ":") }
            }
            return 17
        }
    }
}
