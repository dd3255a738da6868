import Addressing
import CLinux
import Glibc

/// RTM_*ADDR requests and answers.
enum AddressMessages {
    /// Length of `struct ifaddrmsg`.
    static let headerLength = 8

    static func addition(_ address: InterfaceAddress, index: Int32) -> NetlinkMessage {
        var message = request(Int(RTM_NEWADDR), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), address, index)
        switch address.address {
        case .v4:
            // As `ip address add … brd +`; a prefix of two addresses or one has no broadcast address (RFC 3021).
            if address.prefixLength < 31 { message.attribute(Int(IFA_BROADCAST), address.prefix.last) }
        case .v6:
            // The control plane hands out each address once; waiting a second for duplicates would delay every port.
            message.attribute(Int(IFA_FLAGS), UInt32(IFA_F_NODAD))
        }
        return message
    }

    static func removal(_ address: InterfaceAddress, index: Int32) -> NetlinkMessage { request(Int(RTM_DELADDR), flags: 0, address, index) }

    static func dump() -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETADDR), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.append(zeros: headerLength)
        return message
    }

    /// The link's index and the address; nil for host-scope addresses (127.0.0.1) and those that the kernel derived by itself.
    static func parse(_ reply: NetlinkReply) -> (index: Int32, address: InterfaceAddress)? {
        guard reply.type == Int(RTM_NEWADDR) || reply.type == Int(RTM_DELADDR), reply.payload.count >= headerLength else { return nil }
        let length = Int(reply.payload.number(at: 1, as: UInt8.self))
        let scope = reply.payload.number(at: 3, as: UInt8.self)
        guard scope != UInt8(RT_SCOPE_HOST.rawValue) else { return nil }
        var address: IPAddress?
        for (type, value) in reply.attributes(after: headerLength) {
            switch type {
            case Int(IFA_LOCAL): address = value.address
            // On a point-to-point link IFA_ADDRESS is the other side, and IFA_LOCAL is ours.
            case Int(IFA_ADDRESS): address = address ?? value.address
            // Since Linux 5.18. Where the kernel derived the address it says so; what somebody set by hand has no such mark.
            case Int(IFA_PROTO) where value.uint8 == UInt8(IFAPROT_KERNEL_LL) || value.uint8 == UInt8(IFAPROT_KERNEL_LO): return nil
            default: break
            }
        }
        guard let address, length <= address.version.addressBits else { return nil }
        return (reply.payload.number(at: 4, as: Int32.self), InterfaceAddress(address, prefixLength: length))
    }

    private static func request(_ type: Int, flags: Int, _ address: InterfaceAddress, _ index: Int32) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: flags | Int(NLM_F_ACK))
        message.append(address.address.version.family)
        message.append(UInt8(address.prefixLength))
        message.append(UInt8(0))
        message.append(UInt8(RT_SCOPE_UNIVERSE.rawValue))
        message.append(index)
        message.attribute(Int(IFA_LOCAL), address.address)
        message.attribute(Int(IFA_ADDRESS), address.address)
        return message
    }
}

extension IPVersion {
    /// AF_INET or AF_INET6.
    var family: UInt8 { self == .v4 ? UInt8(AF_INET) : UInt8(AF_INET6) }
}
