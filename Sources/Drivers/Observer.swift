import Glibc
import KernelInterface

/// Reads what is really there, as far as the configuration gives a reason to look.
struct Observer {
    let kernel: any NetworkKernel

    /// Everything that the plan compares in one namespace. `configuration` is what is wanted there: it tells which sysctls to read, and
    /// lets dumps be left out that cannot matter (a router namespace has no forwarding entries).
    func observe(_ namespace: NamespaceName?, for configuration: NamespaceConfiguration) throws(KernelError) -> NamespaceObservation {
        var result = NamespaceObservation()
        for link in try kernel.links(in: namespace) { result.links[link.name] = link }
        if !configuration.managesAddresses.isEmpty || !configuration.addresses.isEmpty {
            result.addresses = try kernel.addresses(in: namespace)
        }
        if !configuration.managesAddresses.isEmpty || !configuration.routes.isEmpty {
            result.routes = try kernel.routes(in: namespace)
        }
        if Ownership.ownsRules(in: namespace) { result.rules = try kernel.rules(in: namespace) }
        let canForward = result.links.keys.contains(where: Ownership.ownsForwarding)
        if canForward || !configuration.forwarding.isEmpty { result.forwarding = try kernel.forwardingEntries(in: namespace) }
        let hasNeighbours = result.links.keys.contains { Ownership.ownsNeighbours(on: $0, in: namespace) }
        if hasNeighbours || !configuration.neighbours.isEmpty { result.neighbours = try kernel.neighbours(in: namespace) }
        if !configuration.sysctls.isEmpty { result.sysctls = try kernel.sysctls(configuration.sysctls.keys.sorted(), in: namespace) }
        result.firewallTables = try kernel.firewallTables(in: namespace)
        result.firewallGeneration = try kernel.firewallGeneration(in: namespace)
        return result
    }

    /// `believed` with the links that are really there. Nil when a link of ours is not as it was left: whoever touched it may have touched
    /// what hangs on it, so that all of the namespace must be read.
    func refreshLinks(of believed: NamespaceObservation, in namespace: NamespaceName?) throws(KernelError) -> NamespaceObservation? {
        var result = believed
        result.links = [:]
        for link in try kernel.links(in: namespace) { result.links[link.name] = link }
        for (name, expected) in believed.links {
            let found = result.links[name]
            if expected.kind == .foreign {
                // What hung on a foreign link went with it, also when it is back under the same name.
                guard let found, found.bridge == expected.bridge else {
                    result.forget(name)
                    continue
                }
                continue
            }
            guard let found, LinkComparison.isSameKind(expected, found), !LinkComparison.needsChange(from: found, to: expected) else {
                return nil
            }
        }
        return result
    }

    /// Whether the failure says that the namespace is a name without a namespace behind it.
    static func isBroken(_ error: KernelError) -> Bool { error.code == EINVAL }
}

extension NamespaceObservation {
    /// Removes what the kernel removes along with a link.
    mutating func forget(_ link: String) {
        addresses = addresses.filter { $0.link != link }
        routes = routes.filter { $0.nextHops.allSatisfy { $0.link != link } }
        forwarding = forwarding.filter { $0.link != link }
        neighbours = neighbours.filter { $0.link != link }
        sysctls = sysctls.filter { Sysctl.link(of: $0.key) != link }
    }
}
