import CLinux
import Glibc

/// Sees which addresses ping a place.
public struct EchoObserver: ~Copyable {
    private let descriptor: Int32

    /// Sees requests that arrive from now on.
    public init(in place: Place) throws {
        descriptor = try openSocket(inNamespaceOfProcess: place.processID) { clinux_icmp_socket() }
    }

    deinit { close(descriptor) }

    /// The source addresses of the echo requests that have arrived since the last call.
    public func sources() -> Set<String> {
        var sources: Set<String> = []
        var packet = [UInt8](repeating: 0, count: 2048)
        while true {
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(descriptor, &packet, packet.count, 0, $0, &size) }
            }
            guard count > 0 else { return sources }
            guard EchoMessage(packet: packet[..<count])?.type == EchoMessage.request else { continue }
            sources.insert(SocketAddress.text(address.sin_addr))
        }
    }
}
