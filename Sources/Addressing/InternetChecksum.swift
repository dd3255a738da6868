/// The checksum of IPv4, ICMP, VRRP and their like (RFC 1071).
public enum InternetChecksum {
    /// The checksum over octets; 0 over octets that hold their own, right one. An odd number is filled up with a zero.
    public static func of(_ octets: some Collection<UInt8>) -> UInt16 {
        var sum: UInt64 = 0
        var isHigh = true
        for octet in octets {
            sum += isHigh ? UInt64(octet) << 8 : UInt64(octet)
            isHigh.toggle()
        }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        return ~UInt16(sum)
    }
}
