/// The identity of a resource: a UUID, written in lower case with hyphens as OpenStack does.
public struct ResourceID: Hashable, Sendable, Comparable {
    public let rawValue: UInt128

    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// A random (version 4) identity, RFC 9562 section 5.4.
    public init(using generator: inout some RandomNumberGenerator) {
        let high = generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        rawValue = UInt128(high) << 64 | UInt128(low)
    }

    /// Parses 32 hexadecimal digits with hyphens in the usual places, in either case.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 36 else { return nil }
        var value: UInt128 = 0
        for (index, byte) in text.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt128(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt128(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt128(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        rawValue = value
    }

    /// The first eleven characters: what Neutron puts behind `tap`, `brq`, `qr-`… so that device names fit 15 characters.
    public var devicePart: String { String(description.prefix(11)) }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ResourceID: CustomStringConvertible {
    public var description: String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let value = Int(truncatingIfNeeded: rawValue >> UInt128(124 - 4 * nibble)) & 15
                buffer[position] = digits.utf8Start[value]
                position += 1
            }
            return 36
        }
    }
}

extension ResourceID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = ResourceID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a UUID")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
