extension Migration {
    /// Segments of networks and the ranges that their numbers come from, flavors, topologies that the server made, DHCP that was put on an
    /// agent or taken from one by hand, and further gateways of routers.
    ///
    /// Every network that has a carrier gets its segment. Its identity is the network's with version digit 7.
    static let version9 = Migration(
        version: 9,
        shared: segmentTables + flavorTables + placementTables,
        postgresqlOnly: "")

    private static let segmentTables = """
        CREATE TABLE segments (
            id TEXT NOT NULL PRIMARY KEY,
            network_id TEXT NOT NULL REFERENCES networks (id) DEFERRABLE INITIALLY DEFERRED,
            name TEXT,
            network_type TEXT NOT NULL,
            physical_network TEXT,
            segmentation_id BIGINT,
            segment_index BIGINT NOT NULL,
            description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            UNIQUE (network_id, segment_index)
        );
        INSERT INTO segments (id, network_id, network_type, physical_network, segmentation_id, segment_index, description, tags,
            revision_number, created_at, updated_at)
        SELECT substr(id, 1, 14) || '7' || substr(id, 16), id, provider_network_type, provider_physical_network,
            provider_segmentation_id, 0, '', '[]', 1, created_at, updated_at
        FROM networks;
        ALTER TABLE networks ADD COLUMN further_carriers TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE subnets ADD COLUMN segment_id TEXT REFERENCES segments (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX subnets_by_segment ON subnets (segment_id);

        CREATE TABLE network_segment_ranges (
            id TEXT NOT NULL PRIMARY KEY,
            project_id TEXT,
            name TEXT NOT NULL,
            "default" BIGINT NOT NULL,
            shared BIGINT NOT NULL,
            network_type TEXT NOT NULL,
            physical_network TEXT,
            minimum BIGINT NOT NULL,
            maximum BIGINT NOT NULL,
            description TEXT NOT NULL,
            tags TEXT NOT NULL,
            revision_number BIGINT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
        CREATE INDEX network_segment_ranges_by_type ON network_segment_ranges (network_type, physical_network);


        """

    private static let flavorTables = """
        CREATE TABLE flavors (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            service_type TEXT NOT NULL,
            enabled BIGINT NOT NULL,
            service_profiles TEXT NOT NULL
        );

        CREATE TABLE service_profiles (
            id TEXT NOT NULL PRIMARY KEY,
            description TEXT NOT NULL,
            driver TEXT NOT NULL,
            enabled BIGINT NOT NULL,
            metainfo TEXT NOT NULL
        );

        CREATE TABLE flavor_service_profiles (
            flavor_id TEXT NOT NULL REFERENCES flavors (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            service_profile_id TEXT NOT NULL REFERENCES service_profiles (id) DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (flavor_id, service_profile_id)
        );
        CREATE INDEX flavor_service_profiles_by_profile ON flavor_service_profiles (service_profile_id);

        ALTER TABLE routers ADD COLUMN flavor_id TEXT REFERENCES flavors (id) DEFERRABLE INITIALLY DEFERRED;
        CREATE INDEX routers_by_flavor ON routers (flavor_id);


        """

    private static let placementTables = """
        ALTER TABLE networks ADD COLUMN is_default BIGINT NOT NULL DEFAULT 0;
        CREATE UNIQUE INDEX networks_default ON networks (is_default) WHERE is_default = 1;

        CREATE TABLE auto_allocated_topologies (
            project_id TEXT NOT NULL PRIMARY KEY,
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            router_id TEXT REFERENCES routers (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
        );
        CREATE INDEX auto_allocated_topologies_by_network ON auto_allocated_topologies (network_id);
        CREATE INDEX auto_allocated_topologies_by_router ON auto_allocated_topologies (router_id);

        ALTER TABLE dhcp_bindings ADD COLUMN is_manual BIGINT NOT NULL DEFAULT 0;
        CREATE TABLE dhcp_exclusions (
            network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            PRIMARY KEY (network_id, agent_id)
        );
        CREATE INDEX dhcp_exclusions_by_agent ON dhcp_exclusions (agent_id);

        ALTER TABLE routers ADD COLUMN further_gateways TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE routers ADD COLUMN enable_snat BIGINT NOT NULL DEFAULT 1;
        UPDATE routers SET enable_snat = 0 WHERE external_gateway_info LIKE '%"enable_snat":false%';

        """
}
