import Addressing
import HostModel
import KernelInterface
import ServiceProcesses

/// Router advertisements of a router's interfaces: one radvd for all of them.
enum RouterAdvertisements {
    /// Nil when no interface advertises, or the router speaks no IPv6.
    static func daemon(for router: HostRouter, _ layout: RouterLayout, _ settings: AgentSettings) -> DaemonConfiguration? {
        guard layout.carriesIPv6 else { return nil }
        let interfaces = router.interfaces.filter(\.isAdminStateUp).compactMap { port in
            port.advertisement.map { interface(port, $0) }
        }
        guard !interfaces.isEmpty else { return nil }
        return RadvdDaemon.daemon(
            router: router.id.description, namespace: RouterConverter.namespace(of: router.id), stateDirectory: settings.stateDirectory,
            configuration: RadvdConfiguration(interfaces: interfaces))
    }

    private static func interface(
        _ port: HostRouter.RouterPort, _ advertisement: HostRouter.Advertisement
    ) -> RadvdConfiguration.Interface {
        RadvdConfiguration.Interface(
            name: ServiceLink.innerName(.routerInterface, port.id), mtu: port.mtu,
            prefixes: advertisement.prefixes.map { .init(prefix: $0.prefix, isAutonomous: $0.isAutonomous) },
            isManaged: advertisement.isManaged, hasOtherConfiguration: advertisement.hasOtherConfiguration,
            dnsServers: advertisement.dnsNameservers,
            source: port.metadata?.answersIPv6 == true ? IPPrefix("fe80::/64").flatMap(port.mac.eui64(in:)) : nil)
    }
}
