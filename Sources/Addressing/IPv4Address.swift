/// An IPv4 address as a number, most significant octet first.
public struct IPv4Address: Hashable, Sendable, Comparable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        rawValue = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Parses four decimal octets without leading zeros ("010" would be octal to some readers, so it is refused).
    public init?(_ text: some StringProtocol) {
        var value: UInt32 = 0
        var octets = 0
        var octet: UInt32 = 0
        var digits = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if digits > 0 && octet == 0 { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                if octet > 255 { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, octets < 3 else { return nil }
                value = value << 8 | octet
                octets += 1
                octet = 0
                digits = 0
            default:
                return nil
            }
        }
        guard digits > 0, octets == 3 else { return nil }
        rawValue = value << 8 | octet
    }

    /// The four octets in network order.
    public var octets: [UInt8] {
        [
            UInt8(truncatingIfNeeded: rawValue >> 24), UInt8(truncatingIfNeeded: rawValue >> 16),
            UInt8(truncatingIfNeeded: rawValue >> 8), UInt8(truncatingIfNeeded: rawValue),
        ]
    }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        // Answers are full of them: digits into place, without a text for each octet.
        String(unsafeUninitializedCapacity: 15) { buffer in
            var position = 0
            var shift: UInt32 = 32
            while shift > 0 {
                shift -= 8
                let octet = UInt8(truncatingIfNeeded: rawValue >> shift)
                if octet >= 100 { Self.put(octet / 100, into: buffer, at: &position) }
                if octet >= 10 { Self.put(octet / 10 % 10, into: buffer, at: &position) }
                Self.put(octet % 10, into: buffer, at: &position)
                guard shift > 0 else { break }
                buffer[position] = UInt8(ascii: ".")
                position += 1
            }
            return position
        }
    }

    private static func put(_ digit: UInt8, into buffer: UnsafeMutableBufferPointer<UInt8>, at position: inout Int) {
        buffer[position] = UInt8(ascii: "0") + digit
        position += 1
    }
}
