import Addressing
import CLinux
import Glibc
import KernelInterface

/// Whether the device that holds the host's tunnel endpoint has its carrier.
///
/// Nothing here may wait for the kernel's lock on links (RTNL), which others hold for long while routers are made: lists of addresses take it, and
/// so does the `carrier` file of sysfs, whose readers even try again and again until they have it. So the device is looked up once, and looked at with
/// SIOCGIFFLAGS, which takes no lock. Only when it is gone is it looked up again, and seldom.
///
/// Confined to the election's thread.
final class CarrierWatch {
    static let bufferBytes = 128 * 1024
    /// What one look takes from the socket at most; the rest follows with the next.
    static let maximumMessages = 256
    /// The least time between two searches for a device with the address.
    static let searchIntervalMilliseconds = 1000

    /// Becomes readable when some link of the host changes.
    let descriptor: Int32
    private let control: Int32
    private let address: IPAddress
    private var device: String?
    private var nextSearch: Int
    private(set) var isUp = true
    private var buffer = [UInt8](repeating: 0, count: 32 * 1024)

    init(address: IPAddress, now: Int) throws(KernelError) {
        self.address = address
        nextSearch = now + Self.searchIntervalMilliseconds
        device = Self.device(of: address)
        // RTMGRP_LINK: links appear, change and go.
        descriptor = try opened(clinux_netlink_socket(NETLINK_ROUTE, 1, Int32(Self.bufferBytes), 0), "listen to changes of links")
        let control = clinux_datagram_socket()
        guard control >= 0 else {
            close(descriptor)
            throw kernelError(-control, "open a socket")
        }
        self.control = control
        isUp = hasCarrier ?? true
    }

    deinit {
        close(descriptor)
        close(control)
    }

    /// Takes what has happened. The new state if it is another.
    func read(now: Int) -> Bool? {
        for _ in 0..<Self.maximumMessages where clinux_netlink_receive(descriptor, &buffer, buffer.count, 0) < 0 { break }
        if hasCarrier == nil, now >= nextSearch {
            nextSearch = now + Self.searchIntervalMilliseconds
            device = Self.device(of: address)
        }
        guard let found = hasCarrier, found != isUp else { return nil }
        isUp = found
        return found
    }

    /// How many packets the device has received; nil when there is none.
    var receivedPackets: Int? {
        guard let device else { return nil }
        let descriptor = open("/sys/class/net/\(device)/statistics/rx_packets", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var digits = [UInt8](repeating: 0, count: 24)
        let count = Glibc.read(descriptor, &digits, digits.count)
        return Int(String(decoding: digits.prefix(max(count, 0)), as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// Nil when there is no such device.
    private var hasCarrier: Bool? {
        guard let device else { return nil }
        let result = clinux_link_is_running(control, device)
        return result < 0 ? nil : result == 1
    }

    private static func device(of address: IPAddress) -> String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var entry = first
        while let current = entry?.pointee {
            if let found = current.ifa_addr, octets(of: found) == address.octets { return String(cString: current.ifa_name) }
            entry = current.ifa_next
        }
        return nil
    }

    private static func octets(of address: UnsafeMutablePointer<sockaddr>) -> [UInt8]? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) } }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) } }
        default: nil
        }
    }
}
