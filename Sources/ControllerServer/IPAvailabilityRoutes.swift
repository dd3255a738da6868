import APISchema
import Hummingbird
import NetworkModel
import Operations

/// `/network-ip-availabilities`: counted when asked for, so not a resource with a table.
struct IPAvailabilityRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.get("/v2.0/network-ip-availabilities") { request, context in
            let page = try operations.page(.ipAvailabilities, called: "network_ip_availabilities", of: request)
            // The operation applies the filters: those by IP version are about parts of a row.
            let found = try await operations.ipAvailabilities(page.query.filters, caller: context.caller)
            return page.answer(
                found, name: { $0.network.id.description }, text: { $1 == "network_id" ? $0.network.id.description : nil },
                write: { write($0, $1, to: &$2) })
        }
        router.get("/v2.0/network-ip-availabilities/:id") { request, context in
            let availability = try await operations.ipAvailability(of: context.id, caller: context.caller)
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("network_ip_availability")
                write(availability, request.fields, to: &writer)
            }
            return Response.json(writer)
        }
    }

    private func write(_ availability: NetworkIPAvailability, _ fields: Set<String>, to writer: inout JSONWriter) {
        let network = availability.network
        var members: [(String, (inout JSONWriter) -> Void)] = [
            ("network_id", { network.id.write(to: &$0) }), ("network_name", { $0.string(network.name) }),
        ]
        members += ["project_id", "tenant_id"].map { ($0, { $0.string(network.projectID) }) }
        members += numbers(availability.counts)
        members.append(
            (
                "subnet_ip_availability",
                { writer in writer.array { writer in for part in availability.subnets { write(part, to: &writer) } } }
            ))
        writer.object { writer in
            for (name, write) in members where fields.isEmpty || fields.contains(name) {
                writer.key(name)
                write(&writer)
            }
        }
    }

    private func write(_ part: NetworkIPAvailability.SubnetPart, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("subnet_id")
            part.subnet.id.write(to: &writer)
            writer.key("subnet_name")
            writer.string(part.subnet.name)
            writer.key("cidr")
            part.subnet.prefix.write(to: &writer)
            writer.key("ip_version")
            part.subnet.prefix.version.write(to: &writer)
            for (name, write) in numbers(part.counts) {
                writer.key(name)
                write(&writer)
            }
        }
    }

    /// The totals of IPv6 are longer than a machine's integer.
    private func numbers(_ counts: IPCounts) -> [(String, (inout JSONWriter) -> Void)] {
        [
            ("total_ips", { $0.json(counts.total.description) }), ("used_ips", { $0.integer(counts.used) }),
            (
                "ip_availability_details",
                { writer in
                    writer.object { writer in
                        for (name, text) in [
                            ("total_ips_in_subnet", counts.totalInSubnet.description),
                            ("total_ips_in_allocation_pool", counts.totalInPools.description),
                            ("used_ips_in_subnet", counts.used.description),
                            ("used_ips_in_allocation_pool", counts.usedInPools.description),
                        ] {
                            writer.key(name)
                            writer.json(text)
                        }
                    }
                }
            ),
        ]
    }
}
