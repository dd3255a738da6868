import Converters
import HostModel
import NetworkModel
import ServiceProcesses
import Testing

@testable import AgentRuntime
@testable import Drivers

@Suite("What a host says of its ports")
struct PortReportTests {
    /// A network of each number, of which the host cannot carry the second, with an instance, DHCP, and an interface of each router.
    private func view(_ routers: HostRouter...) -> HostView {
        var view = HostView()
        for number in [1, 2] {
            view.apply(network(number))
            view.put(.port(port(10 + number, network: number)))
            view.apply(dhcp(network: number, port: 20 + number))
        }
        for router in routers { view.put(.router(router)) }
        return view
    }

    private func router(_ number: Int, isUp: Bool = true) -> HostRouter {
        let interfaces = [1, 2].map { network in
            HostRouter.RouterPort(
                id: id(number + network), networkID: id(network), mac: mac(number + network), addresses: [interface("10.0.0.1/24")],
                mtu: 1450)
        }
        return HostRouter(id: id(number), isAdminStateUp: isUp, interfaces: interfaces)
    }

    @Test("On a network that the host cannot carry no port is up, whosever it is, but those of a router that is down")
    func unrealised() {
        var reports = PortReports()
        let view = self.view(router(30), router(40, isUp: false))
        let news = reports.update(view: view, unrealised: [id(2)], result: ApplyReport())
        var failed: [ResourceID: Set<HostStatus.Component>] = [:]
        for report in news where report.state == .failed { failed[report.portID, default: []].insert(report.component) }
        #expect(failed == [id(12): [.l2], id(22): [.l2, .dhcp], id(32): [.l2, .l3]])
        #expect(news.filter { $0.state == .up }.count == 1 + 2 + 2 + 4)
        let later = reports.update(view: view, unrealised: [], result: ApplyReport())
        #expect(Set(later.map(\.portID)) == [id(12), id(22), id(32)])
        #expect(later.allSatisfy { $0.state == .up })
    }

    @Test("A port that comes while its network's dnsmasq is started again has DHCP only when that has read of it")
    func restart() {
        var reports = PortReports()
        var view = self.view()
        _ = reports.update(view: view, unrealised: [], result: ApplyReport())
        view.put(.port(port(15, network: 1)))
        view.put(
            .reservation(
                HostReservation(
                    portID: id(15), networkID: id(1), mac: mac(15), addresses: [ip("10.0.0.15")], hostname: "host-10-0-0-15", revision: 1)))
        var ending = ApplyReport()
        ending.retry(DnsmasqRenderer.key(id(1).description), afterMilliseconds: 20)
        #expect(reports.update(view: view, unrealised: [], result: ending).map(\.component) == [.l2])
        #expect(reports.update(view: view, unrealised: [], result: ApplyReport()).map(\.component) == [.dhcp])
    }
}
