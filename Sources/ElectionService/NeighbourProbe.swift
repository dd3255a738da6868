import Addressing

/// What ``ARPProbe`` is in IPv4: a neighbour solicitation (RFC 4861, section 7.2.2) that changes nobody's idea of an address that somebody has.
///
/// It comes from the link-local address of the bridge's MAC, which no other device has; the bridge itself need not have it, since the answer goes
/// to the MAC that the solicitation names. From the unspecified address it would be part of duplicate address detection: a gateway that is just
/// booting would take its own address for another's, and stay without it (RFC 4862, section 5.4.3).
enum NeighbourProbe {
    static let etherType: UInt16 = 0x86DD
    /// Where a frame says which ICMPv6 message it is, and its value in an advertisement.
    static let typeOffset = 54
    static let advertisement: UInt8 = 136
    private static let targetOffset = 62
    /// The last four octets of the address that an advertisement speaks for: they tell the addresses of a link apart.
    static let targetEndOffset = 74
    private static let optionOffset = 78

    private static let linkLocal = IPPrefix(masking: .v6(IPv6Address(rawValue: 0xFE80 << 112)), length: 64)

    /// Nil for a MAC that belongs to no address, which no bridge has.
    static func request(for address: IPv6Address, from mac: MACAddress) -> [UInt8]? {
        guard let source = linkLocal.flatMap(mac.eui64)?.octets else { return nil }
        // The solicited-node group: ff02::1:ff and the address' last three octets (RFC 4291, section 2.7.1).
        let end = Array(address.octets.suffix(3))
        let group = IPv6Address(rawValue: 0xFF02 << 112 | 1 << 32 | 0xFF << 24).octets.prefix(13) + end
        // Type 135, code 0, checksum; the target; option 1 (source's link-layer address), one unit of 8 octets.
        var body: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + address.octets + [1, 1] + mac.octets
        let length = UInt8(body.count)
        let sum = InternetChecksum.of(source + group + [0, 0, 0, length, 0, 0, 0, 58] + body)
        body[2] = UInt8(sum >> 8)
        body[3] = UInt8(sum & 0xFF)
        // Version 6, payload length, next header ICMPv6, hop limit 255 (receivers drop any other).
        let header: [UInt8] = [0x60, 0, 0, 0, 0, length, 58, 255]
        return [0x33, 0x33, 0xFF] + end + mac.octets + [0x86, 0xDD] + header + source + group + body
    }

    /// Who an advertisement speaks for, and at which MAC it says that to be; nil for anything else, also for what a router has passed on.
    static func claim(ofReply frame: some RandomAccessCollection<UInt8>) -> (address: IPv6Address, mac: MACAddress)? {
        let octets = Array(frame.prefix(optionOffset + 8))
        guard octets.count >= optionOffset, octets[12...14].elementsEqual([0x86, 0xDD, 0x60]), octets[20] == 58, octets[21] == 255,
            octets[typeOffset] == advertisement, octets[typeOffset + 1] == 0
        else { return nil }
        let target = octets[targetOffset..<optionOffset].reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        let hasOption = octets.count == optionOffset + 8 && octets[optionOffset] == 2 && octets[optionOffset + 1] == 1
        let mac = octets[(hasOption ? optionOffset + 2 : 6)...].prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return (IPv6Address(rawValue: target), MACAddress(rawValue: mac))
    }
}
