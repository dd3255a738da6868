import Converters
import Dispatch
import HostModel
import KernelInterface
import Logging
import NetworkModel

/// Small things that must be done to a router at once, beside the cycle, which may be long: on a queue of their own.
struct RouterErrands: Sendable {
    private let kernel: any NetworkKernel
    private let logger: Logger
    private let queue = DispatchQueue(label: "agent.errands", qos: .userInteractive)

    init(kernel: any NetworkKernel, logger: Logger) {
        self.kernel = kernel
        self.logger = logger
    }

    /// Tells the neighbours of every address that the router has here (gratuitous ARP, unsolicited neighbour advertisements).
    func announce(_ id: ResourceID) {
        let namespace = RouterConverter.namespace(of: id)
        perform("announce the addresses of router \(id)") { () throws(KernelError) in
            for address in try kernel.addresses(in: namespace) where Self.isShared(address) {
                try kernel.perform(.announce(address, namespace))
            }
        }
    }

    /// Removes every address that only the master has.
    func strip(_ id: ResourceID, _ router: HostRouter?) {
        let namespace = RouterConverter.namespace(of: id)
        guard let router else { return }
        perform("take the addresses of router \(id) away") { () throws(KernelError) in
            let found = try kernel.addresses(in: namespace)
            for address in RouterOwnership.staleAddresses(of: router, addresses: found, isKeepalivedRunning: false) {
                try kernel.perform(.removeAddress(address, namespace))
            }
        }
    }

    private static func isShared(_ address: LinkAddress) -> Bool { address.link.hasPrefix("qr-") || address.link.hasPrefix("qg-") }

    private func perform(_ what: String, _ body: @escaping @Sendable () throws(KernelError) -> Void) {
        queue.async {
            do throws(KernelError) { try body() } catch {
                logger.error("Could not \(what)", metadata: ["error": "\(error)"])
            }
        }
    }
}
