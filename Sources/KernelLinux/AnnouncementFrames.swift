import Addressing

/// Ethernet frames that tell neighbours where an address is.
enum AnnouncementFrames {
    /// The frames for one address. IPv4: the ARP announcement in request form (RFC 5227, section 3), and in reply form for neighbours that
    /// only believe replies. IPv6: an unsolicited neighbour advertisement to all nodes (RFC 4861, section 7.2.6).
    static func frames(for address: IPAddress, mac: MACAddress, isRouter: Bool) -> [[UInt8]] {
        switch address {
        case .v4(let address): [arp(address, mac, operation: 1), arp(address, mac, operation: 2)]
        case .v6(let address): [advertisement(address, mac, isRouter: isRouter)]
        }
    }

    private static func arp(_ address: IPv4Address, _ mac: MACAddress, operation: UInt8) -> [UInt8] {
        // Hardware Ethernet, protocol IPv4, their lengths, operation (RFC 826). Sender and target are the address itself.
        let header: [UInt8] = [0, 1, 8, 0, 6, 4, 0, operation]
        let target = operation == 1 ? MACAddress.zero : mac
        return MACAddress.broadcast.octets + mac.octets + [8, 6] + header + mac.octets + address.octets + target.octets + address.octets
    }

    private static func advertisement(_ address: IPv6Address, _ mac: MACAddress, isRouter: Bool) -> [UInt8] {
        let allNodes = IPv6Address(rawValue: 0xFF02 << 112 | 1).octets
        // Override: replaces what neighbours remember. Router: without it neighbours would drop the sender as their default router.
        let flags: UInt8 = isRouter ? 0xA0 : 0x20
        // Type 136, code 0, checksum, flags; the target; option 2 (target's link-layer address), one unit of 8 octets.
        var body: [UInt8] = [136, 0, 0, 0, flags, 0, 0, 0] + address.octets + [2, 1] + mac.octets
        let length = UInt8(body.count)
        let sum = InternetChecksum.of(address.octets + allNodes + [0, 0, 0, length, 0, 0, 0, 58] + body)
        body[2] = UInt8(sum >> 8)
        body[3] = UInt8(sum & 0xFF)
        // Version 6, payload length, next header ICMPv6, hop limit 255 (receivers drop any other).
        let header: [UInt8] = [0x60, 0, 0, 0, 0, length, 58, 255]
        return [0x33, 0x33, 0, 0, 0, 1] + mac.octets + [0x86, 0xDD] + header + address.octets + allNodes + body
    }
}
