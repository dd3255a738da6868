import Converters
import Drivers
import HostModel
import NetworkModel

/// What this host has acknowledged of each port, so that only news is reported.
struct PortReports {
    private struct Key: Hashable {
        var portID: ResourceID
        var component: HostStatus.Component
    }

    private struct Acknowledged: Equatable {
        var state: HostStatus.PortReport.State
        var revision: Int
    }

    private var sent: [Key: Acknowledged] = [:]

    /// Compares what is realised now with what was reported before.
    ///
    /// - Parameter unrealised: networks that this host does not carry as it shall.
    mutating func update(view: HostView, unrealised: Set<ResourceID>, result: ApplyReport) -> [HostStatus.PortReport] {
        var current: [Key: Acknowledged] = [:]
        for port in view.ports.all {
            let isWired = port.isAdminStateUp && !result.missingLinks.contains(port.deviceName) && !result.concerns(link: port.deviceName)
            let state: HostStatus.PortReport.State = !isWired ? .down : unrealised.contains(port.networkID) ? .failed : .up
            current[Key(portID: port.id, component: .l2)] = Acknowledged(state: state, revision: port.revision)
        }
        addDHCP(view, unrealised, result, to: &current)
        addRouters(view, unrealised, result, to: &current)

        var news: [HostStatus.PortReport] = []
        for (key, state) in current where sent[key] != state {
            news.append(.init(portID: key.portID, component: key.component, state: state.state, revision: state.revision))
        }
        sent = current
        return news
    }

    private func addDHCP(
        _ view: HostView, _ unrealised: Set<ResourceID>, _ result: ApplyReport, to current: inout [Key: Acknowledged]
    ) {
        for service in view.dhcp.values {
            // Of what is only coming up there is nothing new to say.
            if result.isStarting(network: service.networkID) {
                keep([Key(portID: service.portID, component: .dhcp), Key(portID: service.portID, component: .l2)], in: &current)
                keep(view.reservations.items(of: service.networkID).map { Key(portID: $0.portID, component: .dhcp) }, in: &current)
                continue
            }
            let isServed = !unrealised.contains(service.networkID) && !result.concerns(network: service.networkID)
            let state: HostStatus.PortReport.State = isServed ? .up : .failed
            current[Key(portID: service.portID, component: .dhcp)] = Acknowledged(state: state, revision: service.portRevision)
            current[Key(portID: service.portID, component: .l2)] = Acknowledged(state: state, revision: service.portRevision)
            for reservation in view.reservations.items(of: service.networkID) {
                current[Key(portID: reservation.portID, component: .dhcp)] = Acknowledged(state: state, revision: reservation.revision)
            }
        }
    }

    private func keep(_ keys: [Key], in current: inout [Key: Acknowledged]) {
        for key in keys { current[key] = sent[key] }
    }

    private func addRouters(
        _ view: HostView, _ unrealised: Set<ResourceID>, _ result: ApplyReport, to current: inout [Key: Acknowledged]
    ) {
        for router in view.routers.values {
            let hasFailed = result.concerns(router: router.id)
            let ports = router.interfaces + router.gatewayPorts + [router.redundancy?.port].compactMap { $0 }
            if !hasFailed, result.isStarting(router: router.id) {
                keep(ports.flatMap { [Key(portID: $0.id, component: .l2), Key(portID: $0.id, component: .l3)] }, in: &current)
                continue
            }
            for port in ports {
                // Of a router that is down nothing is to be realised: that is done. Clients wait for its interfaces to become ACTIVE, and only
                // then change it or take them away.
                let isAway = router.isAdminStateUp && unrealised.contains(port.networkID)
                let state: HostStatus.PortReport.State = hasFailed || isAway ? .failed : .up
                for component in [HostStatus.Component.l2, .l3] {
                    current[Key(portID: port.id, component: component)] = Acknowledged(state: state, revision: port.revision)
                }
            }
        }
    }
}
