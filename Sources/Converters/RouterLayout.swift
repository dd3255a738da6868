import Addressing
import HostModel
import KernelInterface
import NetworkModel

/// The devices of a router, and the addresses and routes that belong on them while the router forwards here.
struct RouterLayout {
    struct Device {
        var prefix: ServiceLink.Prefix
        var port: HostRouter.RouterPort
        var name: String { ServiceLink.innerName(prefix, port.id) }
    }

    /// qr- by port id, then qg-, then ha-.
    let devices: [Device]
    /// Those of qr- and qg-, floating IPs included; of an HA router also the link-local addresses, which the kernel gives to others itself.
    let addresses: Set<LinkAddress>
    let routes: Set<Route>
    let carriesIPv6: Bool

    init(_ router: HostRouter) {
        var devices = router.interfaces.sorted { $0.id < $1.id }.map { Device(prefix: .routerInterface, port: $0) }
        devices += router.gatewayPorts.map { Device(prefix: .routerGateway, port: $0) }
        var addresses: Set<LinkAddress> = []
        for device in devices where device.port.isAdminStateUp {
            for address in device.port.addresses { addresses.insert(LinkAddress(link: device.name, address: address)) }
        }
        let connected = addresses
        let gateways = RouterGateways(router)
        for gateway in gateways.all {
            for address in gateway.externalAddresses {
                addresses.insert(LinkAddress(link: gateway.device, address: InterfaceAddress(address, prefixLength: 32)))
            }
        }
        carriesIPv6 = connected.contains { $0.address.address.version == .v6 }
        routes = Self.routes(of: router, gateways, connected: connected).union(Self.tables(of: gateways, connected))
        if router.redundancy != nil {
            let advertised = carriesIPv6 && !gateways.haveIPv6Gateway ? gateways.all.map(\.device) : []
            addresses.formUnion(devices.compactMap { Self.linkLocalAddress($0, isNeeded: advertised.contains($0.name)) })
        }
        addresses.formUnion(devices.compactMap(Self.metadataAddress))
        if let redundancy = router.redundancy { devices.append(Device(prefix: .redundancy, port: redundancy.port)) }
        self.devices = devices
        self.addresses = addresses
    }

    /// What the kernel would give a device that speaks IPv6 (RFC 4291, appendix A), also to a router that it hears of by advertisements. Nil for others.
    private static func linkLocalAddress(_ device: Device, isNeeded: Bool) -> LinkAddress? {
        guard device.port.isAdminStateUp, isNeeded || device.port.addresses.contains(where: { $0.address.version == .v6 }),
            let linkLocal = IPPrefix("fe80::/64"), let address = device.port.mac.eui64(in: linkLocal)
        else { return nil }
        return LinkAddress(link: device.name, address: InterfaceAddress(address, prefixLength: linkLocal.length))
    }

    private static func metadataAddress(_ device: Device) -> LinkAddress? {
        guard device.port.isAdminStateUp, device.port.metadata?.answersIPv6 == true else { return nil }
        return MetadataConverter.ipv6Address.map { LinkAddress(link: device.name, address: $0) }
    }

    static func redundancyDevice(_ redundancy: HostRouter.Redundancy) -> String {
        ServiceLink.innerName(.redundancy, redundancy.port.id)
    }

    /// The default route of each family, further subnets on the gateways' links, then the routes that the router's owner asked for: these
    /// win over others for the same destination, and several of them for one destination share its traffic. A next hop that no address of
    /// the router is on a link with cannot be routed to.
    private static func routes(of router: HostRouter, _ gateways: RouterGateways, connected: Set<LinkAddress>) -> Set<Route> {
        var byDestination: [IPPrefix: Route] = [:]
        var shared: [IPPrefix: [Route.NextHop]] = [:]
        for gateway in gateways.all {
            for route in onLinkRoutes(of: gateway, connected) + defaultRoutes(of: gateway, connected) {
                if route.destination.length == 0 { shared[route.destination, default: []] += route.nextHops }
                // The first gateway comes first.
                if byDestination[route.destination] == nil { byDestination[route.destination] = route }
            }
        }
        if router.sharesDefaultRoute == true {
            for (destination, hops) in shared { byDestination[destination] = Route(destination: destination, nextHops: hops) }
        }
        var hops: [IPPrefix: [Route.NextHop]] = [:]
        for route in router.routes where route.destination.version == route.nextHop.version {
            guard let link = Self.link(of: route.nextHop, connected) else { continue }
            hops[route.destination, default: []].append(Route.NextHop(gateway: route.nextHop, link: link))
        }
        for (destination, hops) in hops { byDestination[destination] = Route(destination: destination, nextHops: hops) }
        return Set(byDestination.values)
    }

    /// Of several gateways each one's own default routes, in a table of its own: see ``RouterPaths``.
    private static func tables(of gateways: RouterGateways, _ connected: Set<LinkAddress>) -> Set<Route> {
        guard gateways.isMultiple else { return [] }
        var routes: Set<Route> = []
        for gateway in gateways.all {
            for var route in defaultRoutes(of: gateway, connected) {
                route.table = gateway.number
                routes.insert(route)
            }
        }
        return routes
    }

    /// Subnets of the external network that the router has no address in, of the families that it speaks there.
    private static func onLinkRoutes(of gateway: RouterGateways.Gateway, _ connected: Set<LinkAddress>) -> [Route] {
        let own = connected.filter { $0.link == gateway.device }
        return gateway.port.onLinkPrefixes.filter { prefix in
            carries(prefix.version, gateway, own) && !own.contains { $0.address.prefix == prefix }
        }.map { Route(destination: $0, link: gateway.device) }
    }

    private static func carries(_ version: IPVersion, _ gateway: RouterGateways.Gateway, _ own: Set<LinkAddress>) -> Bool {
        version == .v4 && gateway.carriesIPv4 || own.contains { $0.address.address.version == version }
    }

    /// A gateway outside of every subnet of the link is made reachable by a route of its own, on the link.
    private static func defaultRoutes(of gateway: RouterGateways.Gateway, _ connected: Set<LinkAddress>) -> [Route] {
        let (own, link) = (connected.filter { $0.link == gateway.device }, gateway.device)
        var routes: [Route] = []
        for version in [IPVersion.v4, .v6] where carries(version, gateway, own) {
            guard let next = gateway.port.gateways.first(where: { $0.version == version }),
                let everything = IPPrefix(masking: next, length: 0), let host = IPPrefix(masking: next, length: version.addressBits)
            else { continue }
            if !own.contains(where: { $0.address.prefix.contains(next) }) { routes.append(Route(destination: host, link: link)) }
            routes.append(Route(destination: everything, gateway: next, link: link))
        }
        return routes
    }

    /// The device with the most specific prefix that holds the address.
    private static func link(of address: IPAddress, _ connected: Set<LinkAddress>) -> String? {
        connected.filter { $0.address.prefix.contains(address) }
            .max { ($0.address.prefixLength, $1.link) < ($1.address.prefixLength, $0.link) }?.link
    }
}
