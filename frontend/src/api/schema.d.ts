// Made by `make schema` of the server's OpenAPI schema; never edited by hand.

export interface paths {
    "/api/v1/accelerators": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List known accelerators
         * @description The accelerators that a pool's variants may name.
         */
        get: operations["accelerators"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Burn-rate alerts of the teams that one may see, newest first. */
        get: operations["alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply a bundle of documents, all or nothing
         * @description Make everything that the documents declare true, or nothing.
         */
        post: operations["apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Who changed what, and why, newest first. */
        get: operations["changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List clusters of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["clusters_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/conditions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What conditions may say: types, their tree, reasons with meaning and what to do
         * @description Every condition type with its place in the tree, and every reason with its meaning.
         */
        get: operations["conditions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/decisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Decisions of the autoscaler, newest first
         * @description Decisions of all pools that one may see, newest first.
         */
        get: operations["decisions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List endpoints of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["endpoints_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description What happened to objects, newest first; repeats are counted. */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export declarations
         * @description All declarations of a team (or of all that one may see), as apply takes them.
         */
        get: operations["export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/fleet": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * @description All pools that one may see: what was declared, what is live, what it does and costs.
         *
         *     Every open console asks each few seconds: the rows are computed once for all who may see the same teams.
         */
        get: operations["fleet"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List models of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["models_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Plan a bundle of documents: fields of declarations and of every object of the pools that it touches
         * @description What a bundle of documents would change, in the declarations and in the clusters.
         */
        post: operations["plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List pools of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["pools_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Who is asking; logging in and out of the console. */
        get: operations["session_get"];
        put?: never;
        /** @description Who is asking; logging in and out of the console. */
        post: operations["session_login"];
        /** @description Who is asking; logging in and out of the console. */
        delete: operations["session_logout"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** @description One's own password. */
        put: operations["password_change"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/slos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List slos of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["slos_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Teams that one may see. */
        get: operations["teams_list"];
        put?: never;
        /** @description Teams that one may see. */
        post: operations["teams_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One team. */
        get: operations["teams_get"];
        put?: never;
        post?: never;
        /** @description One team. */
        delete: operations["teams_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/clusters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List clusters of a team
         * @description Objects of one kind of one team.
         */
        get: operations["clusters_list"];
        put?: never;
        /**
         * Declare a new Cluster
         * @description Objects of one kind of one team.
         */
        post: operations["clusters_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/clusters/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a Cluster
         * @description One object.
         */
        get: operations["clusters_get"];
        /**
         * Declare a Cluster anew
         * @description One object.
         */
        put: operations["clusters_replace"];
        post?: never;
        /**
         * Delete a Cluster
         * @description One object.
         */
        delete: operations["clusters_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a Cluster (JSON merge patch)
         * @description One object.
         */
        patch: operations["clusters_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/clusters/{name}/inventory": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Accelerators of a cluster: allocatable, used and free
         * @description Accelerators of a cluster, read from its nodes and pods now.
         */
        get: operations["clusters_inventory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/clusters/{name}/preflight": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Can pools live there? Version, kinds, rights missing, accelerators, watches
         * @description Whether pools can live in a cluster, asked of it now: version, kinds, rights, accelerators, watches.
         */
        get: operations["clusters_preflight"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List endpoints of a team
         * @description Objects of one kind of one team.
         */
        get: operations["endpoints_list"];
        put?: never;
        /**
         * Declare a new Endpoint
         * @description Objects of one kind of one team.
         */
        post: operations["endpoints_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/endpoints/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a Endpoint
         * @description One object.
         */
        get: operations["endpoints_get"];
        /**
         * Declare a Endpoint anew
         * @description One object.
         */
        put: operations["endpoints_replace"];
        post?: never;
        /**
         * Delete a Endpoint
         * @description One object.
         */
        delete: operations["endpoints_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a Endpoint (JSON merge patch)
         * @description One object.
         */
        patch: operations["endpoints_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Propose documents for vLLM Deployments, llm-d releases and KServe services of a namespace
         * @description Documents for what runs in a namespace already; nothing is declared.
         */
        post: operations["import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Who belongs to a team; for its admins. */
        get: operations["members_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/members/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** @description One member of a team; for its admins. */
        put: operations["members_set"];
        post?: never;
        /** @description One member of a team; for its admins. */
        delete: operations["members_remove"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List models of a team
         * @description Objects of one kind of one team.
         */
        get: operations["models_list"];
        put?: never;
        /**
         * Declare a new Model
         * @description Objects of one kind of one team.
         */
        post: operations["models_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/models/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a Model
         * @description One object.
         */
        get: operations["models_get"];
        /**
         * Declare a Model anew
         * @description One object.
         */
        put: operations["models_replace"];
        post?: never;
        /**
         * Delete a Model
         * @description One object.
         */
        delete: operations["models_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a Model (JSON merge patch)
         * @description One object.
         */
        patch: operations["models_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/models/{name}/fit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * On which accelerators a model fits, over how many of them, and how many tokens the cache holds
         * @description Whether a model fits: weights, activations and KV cache against the memory of each kind of accelerator.
         */
        get: operations["models_fit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/models/{name}/suggestions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Accelerators, replicas and cost that would keep an SLO for this model
         * @description Variants that would keep an SLO for a model, the cheapest first. From priors: nothing has been measured yet.
         */
        get: operations["models_suggestions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List pools of a team
         * @description Objects of one kind of one team.
         */
        get: operations["pools_list"];
        put?: never;
        /**
         * Declare a new Pool
         * @description Objects of one kind of one team.
         */
        post: operations["pools_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a Pool
         * @description One object.
         */
        get: operations["pools_get"];
        /**
         * Declare a Pool anew
         * @description One object.
         */
        put: operations["pools_replace"];
        post?: never;
        /**
         * Delete a Pool
         * @description One object.
         */
        delete: operations["pools_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a Pool (JSON merge patch)
         * @description One object.
         */
        patch: operations["pools_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/autoscaling": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How a pool's autoscaling stands
         * @description Who owns the replicas of a pool, its newest decision, and what has been learned of it.
         */
        get: operations["pools_autoscaling"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/decisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Decisions of the autoscaler for a pool, newest first
         * @description Decisions of one pool, newest first; a run of equal holds is one.
         */
        get: operations["pools_decisions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/decisions/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One decision: inputs, forecast, proposals, clamps, counterfactuals
         * @description One decision with everything that it rests on.
         */
        get: operations["pools_decision"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/decisions/{number}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Make a stored decision again and compare
         * @description The decision made again from what it was made from.
         */
        get: operations["pools_decision_replay"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/integrity": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Whether every loop that reads a pool is fed, and what to do where one is not. */
        get: operations["pools_integrity"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/loads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Loads of a pool, newest first
         * @description The newest loads of a pool, and how one begins.
         */
        get: operations["pools_loads"];
        put?: never;
        /**
         * Send a load to the pool's own address, as its users would
         * @description The newest loads of a pool, and how one begins.
         */
        post: operations["pools_load_begin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/loads/{load}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One load, with how it went over time
         * @description One load as it goes on.
         */
        get: operations["pools_load"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/loads/{load}/compare/{other}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Two loads beside each other: what users got before and after
         * @description Before and after.
         */
        get: operations["pools_loads_compare"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/loads/{load}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop a load; requests under way are cut off
         * @description The end of a load before its time.
         */
        post: operations["pools_load_stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/migration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The declaration of a pool for another llm-d release, with notes; nothing is changed
         * @description A pool for another release of llm-d: its document, and what a person should know. Plan it to see the diff.
         */
        post: operations["pools_migration"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/objects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Kubernetes objects of a pool
         * @description Kubernetes objects that a pool owns, read from its cluster now.
         */
        get: operations["pools_objects"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * KV-cache offload of a pool: plan, canary, tiers with bandwidth and benefit
         * @description How a pool's tiers stand.
         */
        get: operations["pools_offload"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/curve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Hit rate of a pool by cache size, with present size and knee
         * @description Hit rate by cache size.
         */
        get: operations["pools_offload_curve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/decisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Decisions on a pool's tiers, newest first
         * @description Decisions of one pool, newest first; a run of equal holds is one.
         */
        get: operations["pools_offload_decisions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/decisions/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One decision on a pool's tiers: inputs, options, clamps
         * @description One decision with everything that it rests on.
         */
        get: operations["pools_offload_decision"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/decisions/{number}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Make a stored decision on tiers again and compare
         * @description The decision made again from what it was made from.
         */
        get: operations["pools_offload_decision_replay"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/probe": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have the bandwidth of a pool's volumes and object stores measured anew
         * @description Have the pool's volumes and object stores measured.
         */
        post: operations["pools_offload_probe"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/offload/what-if": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What other tiers and sizes would bring a pool
         * @description What other tiers would bring.
         */
        get: operations["pools_offload_what_if"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/panels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Which charts a pool has. */
        get: operations["panels_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/panels/{panel}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One chart: its state, and at most 1000 points a line. */
        get: operations["panels_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Plan a pool, present or proposed; with dry_run the plan is not kept
         * @description A plan of one pool: of the document in the body, else of what is declared.
         */
        post: operations["pools_plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Plans of a pool, newest first
         * @description Plans of a pool, newest first; of a pool that is only proposed too.
         */
        get: operations["pools_plans"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/plans/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A plan: objects, fields before and after, cost, warnings
         * @description One plan, in full.
         */
        get: operations["pools_plan_detail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/plans/{number}/apply": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Apply a plan; 409 names what moved since it was made
         * @description Apply exactly what a plan says.
         */
        post: operations["pools_plan_apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/pods/{pod}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Newest log lines of a container of a pool
         * @description The newest lines of a container's log.
         */
        get: operations["pools_pod_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/replica-signals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Every replica beside the others of its variant, those that are out of line first. */
        get: operations["replica_signals_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/replicas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Pods of a pool with phase, readiness, node, restarts and the reason why not ready
         * @description Pods of a pool, read from its cluster now.
         */
        get: operations["pools_replicas"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/revisions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Revisions of a pool, newest first
         * @description Accepted specs of a pool, newest first.
         */
        get: operations["pools_revisions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/revisions/{before}/diff/{after}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes of the spec, and of the objects that it renders to, from one revision to another
         * @description What changed between two generations.
         */
        get: operations["pools_revisions_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/revisions/{generation}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Declare the spec of an old generation anew
         * @description A new generation with the spec of an old one.
         */
        post: operations["pools_rollback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/rollout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Roll-out of a pool
         * @description How the newest spec is reaching the replicas, and steering it.
         */
        get: operations["pools_rollout"];
        put?: never;
        /**
         * Pause, resume or abort the roll-out of a pool
         * @description How the newest spec is reaching the replicas, and steering it.
         */
        post: operations["pools_steer_rollout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/routes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The newest routing decisions, newest first
         * @description The newest decisions of a pool's picker.
         */
        get: operations["pools_routes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/routes/{route}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One routing decision: candidates, scores, weights, winner
         * @description One decision, whole.
         */
        get: operations["pools_route"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/routes/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Where a request would go now; nothing is sent
         * @description Where a request would go now.
         */
        post: operations["pools_routes_explain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/selected": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Pods that the pool's InferencePool catches, those that should not be there first
         * @description Which pods the pool's InferencePool selects in its cluster now, and which of them it should not.
         */
        get: operations["pools_selected"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/simulate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Play a trace or the pool's history through policies, in virtual time
         * @description Ask for a simulation.
         */
        post: operations["pools_simulate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/simulations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Simulations of a pool, newest first
         * @description The newest simulations of a pool.
         */
        get: operations["pools_simulations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/simulations/{simulation}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One simulation
         * @description One simulation with its result.
         */
        get: operations["pools_simulation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/targets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Replica targets
         * @description Replica targets: what somebody wants within the declared bounds. No part of the declaration, so no revision.
         */
        get: operations["pools_targets"];
        /**
         * Set replica targets of some variants
         * @description Replica targets: what somebody wants within the declared bounds. No part of the declaration, so no revision.
         */
        put: operations["pools_set_targets"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/tree": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Object tree of a pool: Deployment, ReplicaSet, pod, container, events
         * @description Everything that follows from a pool, down to containers, with what the cluster reported about it.
         */
        get: operations["pools_tree"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/verifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The newest self-tests, newest first
         * @description The self-tests of a pool.
         */
        get: operations["pools_verifications"];
        put?: never;
        /**
         * Run the path's self-test
         * @description The self-tests of a pool.
         */
        post: operations["pools_verify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/pools/{name}/verifications/{verification}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One self-test with its checks
         * @description One self-test.
         */
        get: operations["pools_verification"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/slos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List slos of a team
         * @description Objects of one kind of one team.
         */
        get: operations["slos_list"];
        put?: never;
        /**
         * Declare a new SLO
         * @description Objects of one kind of one team.
         */
        post: operations["slos_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/slos/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a SLO
         * @description One object.
         */
        get: operations["slos_get"];
        /**
         * Declare a SLO anew
         * @description One object.
         */
        put: operations["slos_replace"];
        post?: never;
        /**
         * Delete a SLO
         * @description One object.
         */
        delete: operations["slos_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a SLO (JSON merge patch)
         * @description One object.
         */
        patch: operations["slos_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/slos/{name}/attainment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description What was attained in each step of a range: a calendar, with unknown time apart from good and bad. */
        get: operations["slos_attainment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/slos/{name}/budget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Each objective's error budget: what is left, how it went, when it will be used up. */
        get: operations["slos_budget"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/slos/{name}/burn": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description How fast each objective's budget burns, in the windows that alerts look at. */
        get: operations["slos_burn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks of a team
         * @description Objects of one kind of one team.
         */
        get: operations["webhooks_list"];
        put?: never;
        /**
         * Declare a new Webhook
         * @description Objects of one kind of one team.
         */
        post: operations["webhooks_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/webhooks/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a Webhook
         * @description One object.
         */
        get: operations["webhooks_get"];
        /**
         * Declare a Webhook anew
         * @description One object.
         */
        put: operations["webhooks_replace"];
        post?: never;
        /**
         * Delete a Webhook
         * @description One object.
         */
        delete: operations["webhooks_delete"];
        options?: never;
        head?: never;
        /**
         * Change parts of a Webhook (JSON merge patch)
         * @description One object.
         */
        patch: operations["webhooks_patch"];
        trace?: never;
    };
    "/api/v1/teams/{team}/webhooks/{name}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description What was sent, newest first. */
        get: operations["webhooks_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/webhooks/{name}/secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description The signing secret: made anew, shown in this answer and never again. */
        post: operations["webhooks_secret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teams/{team}/webhooks/{name}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description Send a message of type `test` as an alert would be sent. */
        post: operations["webhooks_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Who changed what and why, and what happened then: one list, newest first. */
        get: operations["timeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One's own tokens. */
        get: operations["tokens_list"];
        put?: never;
        /** @description One's own tokens. */
        post: operations["tokens_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{uid}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** @description One of one's own tokens. */
        delete: operations["tokens_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Everybody who may log in or has tokens. */
        get: operations["users_list"];
        put?: never;
        /** @description Everybody who may log in or has tokens. */
        post: operations["users_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{username}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One of them. Who is no longer active has no sessions, and their tokens are worth nothing. */
        get: operations["users_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** @description One of them. Who is no longer active has no sessions, and their tokens are worth nothing. */
        patch: operations["users_change"];
        trace?: never;
    };
    "/api/v1/users/{username}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** @description A token for somebody else: robots cannot log in to make theirs. */
        post: operations["users_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks of all teams
         * @description Objects of one kind of all teams that one may see.
         */
        get: operations["webhooks_everywhere"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Cluster: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "Cluster";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["ClusterSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        /**
         * ClusterCredentials
         * @description Exactly one of a kubeconfig file (on the machines that run the workers) and the pod's own service account.
         */
        ClusterClusterCredentials: {
            /**
             * Context
             * @default null
             */
            context?: string | null;
            /**
             * Incluster
             * @default false
             */
            inCluster?: boolean;
            /**
             * Kubeconfig
             * @default null
             * @example /etc/lamplight/clusters/eu-west/kubeconfig
             */
            kubeconfig?: string | null;
        };
        /**
         * ClusterLimits
         * @description What one API server is asked of at once.
         *
         *     `concurrency`: pools that are worked on together, by all workers. `deadline`: the longest wait for one answer.
         */
        ClusterClusterLimits: {
            /**
             * Concurrency
             * @default 8
             */
            concurrency?: number;
            /**
             * Deadline
             * @description A length of time with its unit.
             * @default PT15S
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            deadline?: string;
        };
        ClusterList: {
            items: components["schemas"]["Cluster"][];
            next: string | null;
        };
        /**
         * PrometheusCredentials
         * @description Files on the machines that run the workers: a bearer token, authorities to trust, a client certificate.
         */
        ClusterPrometheusCredentials: {
            /**
             * Bearertokenfile
             * @default null
             */
            bearerTokenFile?: string | null;
            /**
             * Cafile
             * @default null
             */
            caFile?: string | null;
            /**
             * Certificatefile
             * @default null
             */
            certificateFile?: string | null;
            /**
             * Keyfile
             * @default null
             */
            keyFile?: string | null;
        };
        /**
         * PrometheusLabels
         * @description The labels by which Prometheus knows whose page a series is from.
         */
        ClusterPrometheusLabels: {
            /**
             * Namespace
             * @default namespace
             */
            namespace?: string;
            /**
             * Pod
             * @default pod
             */
            pod?: string;
        };
        /**
         * PrometheusSpec
         * @description Where the cluster's engines are already scraped: Lamplight then reads them there instead of scraping them itself.
         *
         *     `matchers`: labels that tell this cluster's series from others in a store of many clusters.
         */
        ClusterPrometheusSpec: {
            /** @default {} */
            credentials?: components["schemas"]["ClusterPrometheusCredentials"];
            /**
             * @default {
             *       "pod": "pod",
             *       "namespace": "namespace"
             *     }
             */
            labels?: components["schemas"]["ClusterPrometheusLabels"];
            /**
             * Matchers
             * @default {}
             */
            matchers?: {
                [key: string]: string;
            };
            /**
             * Url
             * @example https://prometheus.example.com
             */
            url: string;
        };
        /**
         * ClusterSpec
         * @description What `spec` of a Cluster says.
         *
         *     `namespaces`: where pools may live; empty means anywhere. `prices`: of one accelerator per hour, by its name.
         *     `read_only`: nothing is ever written to the cluster. `prometheus`: read metrics there, not from the pods.
         *     `provisioning`: how long its cluster-autoscaler or Karpenter takes to bring a node with accelerators; left out: what
         *     is there is all that there is.
         */
        ClusterSpecDocument: {
            credentials: components["schemas"]["ClusterClusterCredentials"];
            /**
             * Dialect
             * @default current
             * @enum {string}
             */
            dialect?: "current" | "0.5";
            /**
             * @default {
             *       "concurrency": 8,
             *       "deadline": "15s"
             *     }
             */
            limits?: components["schemas"]["ClusterClusterLimits"];
            /**
             * Namespaces
             * @default []
             */
            namespaces?: string[];
            /**
             * Prices
             * @default {}
             */
            prices?: {
                [key: string]: string;
            };
            /** @default null */
            prometheus?: components["schemas"]["ClusterPrometheusSpec"] | null;
            /**
             * Provisioning
             * @default null
             */
            provisioning?: string | null;
            /**
             * Readonly
             * @default false
             */
            readOnly?: boolean;
        };
        Condition: {
            /** Format: date-time */
            lastTransitionTime?: string | null;
            message?: string;
            observedGeneration?: number;
            reason?: string;
            /** @enum {string} */
            status?: "True" | "False" | "Unknown";
            type?: string;
        };
        Endpoint: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "Endpoint";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["EndpointSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        /**
         * Backend
         * @description A pool that serves a share of the requests. `weight` 0: it takes none for now. `adapter`: the model name that is
         *     asked of it, where that is not the pool's own (a LoRA adapter).
         */
        EndpointBackend: {
            /**
             * Adapter
             * @default null
             */
            adapter?: string | null;
            /** Pool */
            pool: string;
            /**
             * Weight
             * @default 1
             */
            weight?: number;
        };
        /**
         * GatewayRef
         * @description The Gateway (Gateway API) that an HTTPRoute attaches the pool to; `provider` where its kind of route differs.
         */
        EndpointGatewayRef: {
            /**
             * Hostnames
             * @default []
             */
            hostnames?: string[];
            /** Name */
            name: string;
            /**
             * Namespace
             * @default null
             */
            namespace?: string | null;
            /**
             * Provider
             * @default null
             */
            provider?: ("istio" | "kgateway" | "agentgateway" | "gke") | null;
            /**
             * Sectionname
             * @default null
             */
            sectionName?: string | null;
        };
        /**
         * Keys
         * @description API keys of consumers. `secret`: a Secret of the namespace with one entry a key: its name, and the SHA-256 of the
         *     key in hex. `entries`: how an entry says it: hash (left out), or json, as a Gateway's policies read it:
         *     `{"keyHash": "sha256:<hex>", "metadata": {"name": "<the key's name>"}}`. `limits`: by name of the key; `default` for
         *     those that are not named.
         */
        EndpointKeys: {
            /**
             * Entries
             * @default null
             */
            entries?: ("hash" | "json") | null;
            /**
             * Limits
             * @default {}
             */
            limits?: {
                [key: string]: components["schemas"]["EndpointLimits"];
            };
            /** Secret */
            secret: string;
        };
        /**
         * Limits
         * @description What one key may use in a minute; left out: no limit. `band`: the priority band of its requests, of those that
         *     the pools have (routing.flowControl.bands); without one they have priority 0.
         */
        EndpointLimits: {
            /**
             * Band
             * @default null
             */
            band?: string | null;
            /**
             * Requestsperminute
             * @default null
             */
            requestsPerMinute?: number | null;
            /**
             * Tokensperminute
             * @default null
             */
            tokensPerMinute?: number | null;
        };
        EndpointList: {
            items: components["schemas"]["Endpoint"][];
            next: string | null;
        };
        /**
         * PublicModel
         * @description A model name that clients use. `failover`: pools that are asked in turn when no backend has a ready replica.
         */
        EndpointPublicModel: {
            /** Backends */
            backends: components["schemas"]["EndpointBackend"][];
            /**
             * Failover
             * @default []
             */
            failover?: string[];
            /** Name */
            name: string;
        };
        /**
         * EndpointSpec
         * @description What `spec` of an Endpoint says. Cluster and namespace, of its own objects, cannot change afterwards. Its pools
         *     may live elsewhere, unless a Gateway routes: one of another cluster is asked at its Gateway's hostname.
         *
         *     `gateway`: the Gateway that routes to the pools; left out: a data plane of the endpoint's own.
         */
        EndpointSpecDocument: {
            /** Cluster */
            cluster: string;
            /** @default null */
            gateway?: components["schemas"]["EndpointGatewayRef"] | null;
            /** @default null */
            keys?: components["schemas"]["EndpointKeys"] | null;
            /** Models */
            models: components["schemas"]["EndpointPublicModel"][];
            /** Namespace */
            namespace: string;
        };
        Model: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "Model";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["ModelSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        /**
         * Adapter
         * @description A LoRA adapter of a model, served under its own name. `rank`: of its matrices, where it is known.
         */
        ModelAdapter: {
            /** Name */
            name: string;
            /**
             * Rank
             * @default null
             */
            rank?: number | null;
            /** Source */
            source: string;
        };
        ModelList: {
            items: components["schemas"]["Model"][];
            next: string | null;
        };
        /**
         * Shape
         * @description What decides how much memory a token takes in the KV cache; read from config.json where it is reachable.
         */
        ModelShape: {
            /**
             * Dtype
             * @default bfloat16
             * @enum {string}
             */
            dtype?: "float32" | "bfloat16" | "float16" | "fp8" | "int8";
            /**
             * Experts
             * @default null
             */
            experts?: number | null;
            /** Headdim */
            headDim: number;
            /**
             * Heads
             * @default null
             */
            heads?: number | null;
            /** Kvheads */
            kvHeads: number;
            /** Layers */
            layers: number;
            /**
             * Parameters
             * @default null
             */
            parameters?: number | null;
        };
        /**
         * ModelSpec
         * @description One model. `served_name` is what clients name in requests; without it the document's own name.
         */
        ModelSpecDocument: {
            /**
             * Loraadapters
             * @default null
             */
            loraAdapters?: components["schemas"]["ModelAdapter"][] | null;
            /**
             * Revision
             * @default main
             */
            revision?: string;
            /**
             * Servedname
             * @default null
             */
            servedName?: string | null;
            /** @default null */
            shape?: components["schemas"]["ModelShape"] | null;
            /** Source */
            source: string;
            /** @default null */
            tokenSecret?: components["schemas"]["ModelTokenSecret"] | null;
        };
        /**
         * TokenSecret
         * @description The Secret of a pool's namespace whose `key` holds the token that may read gated weights. Only the kubelet reads
         *     its value.
         */
        ModelTokenSecret: {
            /**
             * Key
             * @default HF_TOKEN
             */
            key?: string;
            /** Name */
            name: string;
        };
        Pool: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "Pool";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["PoolSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        /**
         * Adapters
         * @description LoRA adapters of the Model on the engines of the pool.
         *
         *     `max_loaded`: on the device at once. `max_rank`: the largest rank. `max_on_host`: kept in host memory. `runtime`:
         *     adapters may be loaded and unloaded while the engine runs. `affinity`: what a loaded adapter counts in routing.
         */
        PoolAdapters: {
            /**
             * Affinity
             * @default 1
             */
            affinity?: number;
            /**
             * Maxloaded
             * @default 4
             */
            maxLoaded?: number;
            /**
             * Maxonhost
             * @default null
             */
            maxOnHost?: number | null;
            /**
             * Maxrank
             * @default 16
             * @enum {integer}
             */
            maxRank?: 1 | 8 | 16 | 32 | 64 | 128 | 256 | 320 | 512;
            /**
             * Runtime
             * @default false
             */
            runtime?: boolean;
        };
        /**
         * Autoscaling
         * @description Who decides on replicas. `active`: Lamplight. `advisory`: it decides, explains and stores, but people act through
         *     replica targets. `external`: another scaler (HPA, KEDA) writes them. `off`: people alone.
         *
         *     `budget`: most that the pool may cost. `idle`: what becomes of a pool that nobody asks, where its variants' minimum
         *     is 0: `keep` one replica, `standby` (asleep, woken in about a second), `zero`. `standby`: what a sleeper does with
         *     its accelerator: keep it (reserved) or take turns with other pools of the team (shared). `group`: the pools that
         *     take turns on the same accelerators name the same one. `sets`: on so many sets of the group's accelerators the
         *     pool's engines sleep, and it may be awake on any of them; on each set at most one pool is. `handover`: in mode
         *     external, the scaler that Lamplight renders and that follows its decisions.
         */
        PoolAutoscaling: {
            /**
             * Budget
             * @default null
             */
            budget?: string | null;
            /**
             * Freezes
             * @default []
             */
            freezes?: components["schemas"]["PoolFreeze"][];
            /**
             * Group
             * @default null
             */
            group?: string | null;
            /**
             * Handover
             * @default none
             * @enum {string}
             */
            handover?: "none" | "hpa" | "keda";
            /**
             * Idle
             * @default keep
             * @enum {string}
             */
            idle?: "keep" | "standby" | "zero";
            /**
             * Mode
             * @default off
             * @enum {string}
             */
            mode?: "off" | "active" | "advisory" | "external";
            /**
             * Schedules
             * @default []
             */
            schedules?: components["schemas"]["PoolSchedule"][];
            /**
             * Sets
             * @default 1
             */
            sets?: number;
            /**
             * Standby
             * @default reserved
             * @enum {string}
             */
            standby?: "reserved" | "shared";
        };
        /**
         * Decider
         * @description When a prompt is prefilled elsewhere: `always`, or when more than `non_cached_tokens` of it are not cached where
         *     it is decoded (`prompt_tokens`: and it has at least so many).
         */
        PoolDecider: {
            /**
             * Always
             * @default false
             */
            always?: boolean;
            /**
             * Noncachedtokens
             * @default 512
             */
            nonCachedTokens?: number;
            /**
             * Prompttokens
             * @default 0
             */
            promptTokens?: number;
        };
        /**
         * DeclaredTier
         * @description One tier. `bytes`: the most that it may take (mode fixed: what it takes), of host memory per replica, of the
         *     others for the whole pool. `claim`: a ReadWriteMany PersistentVolumeClaim of the namespace; with a `size` (and
         *     `storage_class`) Lamplight makes it, and it goes with the pool; without one it is somebody's and stays. `ttl`:
         *     blocks that nobody asked for go. `gib_price`: what a GiB costs per hour; without one it is paid for already.
         */
        PoolDeclaredTier: {
            /**
             * Bucket
             * @default null
             */
            bucket?: string | null;
            /**
             * Bytes
             * @default null
             */
            bytes?: string | null;
            /**
             * Claim
             * @default null
             */
            claim?: string | null;
            /**
             * Endpoint
             * @default null
             */
            endpoint?: string | null;
            /**
             * Gibprice
             * @default null
             */
            gibPrice?: string | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "host" | "filesystem" | "object" | "peer";
            /**
             * Secret
             * @default null
             */
            secret?: string | null;
            /**
             * Size
             * @default null
             */
            size?: string | null;
            /**
             * Storageclass
             * @default null
             */
            storageClass?: string | null;
            /**
             * Ttl
             * @default null
             */
            ttl?: string | null;
        };
        /**
         * Disaggregation
         * @description Prefill apart from decode: who decides, what carries KV blocks from one to the other, and over which fabric.
         *
         *     `fabric`: auto takes what the accelerator's nodes have. `block_size`: of both roles. `transport`: NIXL's backend.
         */
        PoolDisaggregation: {
            /**
             * Blocksize
             * @default 128
             * @enum {integer}
             */
            blockSize?: 16 | 32 | 64 | 128 | 256;
            /**
             * Connector
             * @default nixl
             * @enum {string}
             */
            connector?: "nixl" | "mooncake" | "tpu";
            /**
             * @default {
             *       "always": false,
             *       "nonCachedTokens": 512,
             *       "promptTokens": 0
             *     }
             */
            decider?: components["schemas"]["PoolDecider"];
            /**
             * Fabric
             * @default auto
             * @enum {string}
             */
            fabric?: "auto" | "infiniband" | "roce" | "efa" | "tcp";
            /**
             * Transport
             * @default ucx
             * @enum {string}
             */
            transport?: "ucx" | "uccl" | "libfabric";
        };
        /**
         * Engine
         * @description The engine's image, and what is added to the command line and environment that Lamplight renders.
         */
        PoolEngine: {
            /**
             * Args
             * @default []
             */
            args?: string[];
            /**
             * Env
             * @default {}
             */
            env?: {
                [key: string]: string;
            };
            /**
             * Image
             * @default vllm/vllm-openai:v0.33.0
             * @example vllm/vllm-openai:v0.33.0
             */
            image?: string;
        };
        /**
         * ExpertParallel
         * @description A mixture of experts over many accelerators: attention by data parallelism, experts by expert parallelism.
         *
         *     `backend`: of the all-to-all exchange; auto is low latency for decode, high throughput for prefill; deepep_v2 is
         *     that for prefill and for groups that do both, and low latency for decode, as llm-d's newest guide has it.
         *     `moe_backend`: kernels of the experts; left out: vLLM's choice (that guide: deep_gemm). `balance`: experts are
         *     copied and moved by load (`redundant_experts` copies). `dual_batch`: two half batches overlap communication and
         *     computation, from `dual_batch_tokens` decode tokens on. `placement`: where a group runs; left out: wherever there is
         *     room. `restart`: a pod that restarts takes its group with it always (left out), or only once
         *     the group has been up (after-start: slow pulls and crashes of a first start do not begin it anew). `subdomain`: one
         *     headless Service for all groups (left out), or one a group, for sets of very many.
         */
        PoolExpertParallel: {
            /**
             * Backend
             * @default auto
             * @enum {string}
             */
            backend?: "auto" | "deepep_low_latency" | "deepep_high_throughput" | "deepep_v2" | "allgather_reducescatter" | "naive" | "pplx";
            /**
             * Balance
             * @default true
             */
            balance?: boolean;
            /**
             * Dualbatch
             * @default true
             */
            dualBatch?: boolean;
            /**
             * Dualbatchtokens
             * @default 32
             */
            dualBatchTokens?: number;
            /**
             * Moebackend
             * @default null
             */
            moeBackend?: ("aiter" | "cutlass" | "deep_gemm" | "deep_gemm_mega_moe" | "flashinfer_cutedsl" | "flashinfer_cutlass" | "flashinfer_trtllm" | "marlin" | "triton") | null;
            /** @default null */
            placement?: components["schemas"]["PoolPlacement"] | null;
            /**
             * Redundantexperts
             * @default 32
             */
            redundantExperts?: number;
            /**
             * Restart
             * @default null
             */
            restart?: ("always" | "after-start") | null;
            /**
             * Subdomain
             * @default null
             */
            subdomain?: ("shared" | "per-group") | null;
        };
        /**
         * FlowControl
         * @description The queue in the picker: its size, how long a request waits, and for what.
         *
         *     `ttl`: how long it waits while replicas are busy. `hold`: how long it waits while there is no replica at all; at
         *     least as long as a replica takes to start. `saturation`: by queue and cache of the replicas, or by requests in
         *     flight (`max_concurrency` for each replica).
         */
        PoolFlowControl: {
            /**
             * Bands
             * @default []
             */
            bands?: components["schemas"]["PoolPriorityBand"][];
            /**
             * Hold
             * @description A length of time with its unit.
             * @default PT15M
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            hold?: string;
            /**
             * Maxbytes
             * @description An amount of memory or storage with its unit.
             * @default 1073741824
             * @example 64Gi
             */
            maxBytes?: string;
            /**
             * Maxconcurrency
             * @default 100
             */
            maxConcurrency?: number;
            /**
             * Maxrequests
             * @default 1000
             */
            maxRequests?: number;
            /**
             * Saturation
             * @default utilization
             * @enum {string}
             */
            saturation?: "utilization" | "concurrency";
            /**
             * Ttl
             * @description A length of time with its unit.
             * @default PT1M
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            ttl?: string;
        };
        /**
         * Freeze
         * @description Nothing is scaled between two instants (RFC 3339, with an offset).
         */
        PoolFreeze: {
            /** End */
            end: string;
            /** Name */
            name: string;
            /** Start */
            start: string;
        };
        /**
         * GatewayRef
         * @description The Gateway (Gateway API) that an HTTPRoute attaches the pool to; `provider` where its kind of route differs.
         */
        PoolGatewayRef: {
            /**
             * Hostnames
             * @default []
             */
            hostnames?: string[];
            /** Name */
            name: string;
            /**
             * Namespace
             * @default null
             */
            namespace?: string | null;
            /**
             * Provider
             * @default null
             */
            provider?: ("istio" | "kgateway" | "agentgateway" | "gke") | null;
            /**
             * Sectionname
             * @default null
             */
            sectionName?: string | null;
        };
        PoolList: {
            items: components["schemas"]["Pool"][];
            next: string | null;
        };
        /**
         * ModelCache
         * @description Where weights are kept between starts, so that a replica need not download them again.
         *
         *     `claim`: a ReadWriteMany volume claim that all replicas share; `size` and `storage_class` make one. `prefetch`: a
         *     Job fetches the weights into it before the first replica starts. `keep`: how many of this pool's last fetches stay
         *     (the newest, and what a roll-back needs); what it fetched before them and no other pool of the claim keeps is
         *     removed once the newest is there. Left out: everything stays.
         */
        PoolModelCache: {
            /**
             * Claim
             * @default null
             */
            claim?: string | null;
            /**
             * Keep
             * @default null
             */
            keep?: number | null;
            /**
             * Prefetch
             * @default true
             */
            prefetch?: boolean;
            /**
             * Size
             * @default null
             */
            size?: string | null;
            /**
             * Storageclass
             * @default null
             */
            storageClass?: string | null;
        };
        /**
         * Offload
         * @description Tiers below the accelerator's memory for KV blocks, and who decides on them.
         *
         *     `auto`: Lamplight, one replica first. `advisory`: it decides, explains and stores, and changes nothing. `fixed`: the
         *     tiers as declared. `off`: none. `min_prefix_tokens`: what is shorter is computed, not loaded (mode fixed; otherwise
         *     decided). `prompt_only`: blocks of generated tokens stay out of the tiers.
         */
        PoolOffload: {
            /**
             * Connector
             * @default native
             * @enum {string}
             */
            connector?: "native" | "lmcache";
            /**
             * Minprefixtokens
             * @default 256
             */
            minPrefixTokens?: number;
            /**
             * Mode
             * @default off
             * @enum {string}
             */
            mode?: "off" | "auto" | "advisory" | "fixed";
            /**
             * Promptonly
             * @default true
             */
            promptOnly?: boolean;
            /**
             * Tiers
             * @default []
             */
            tiers?: components["schemas"]["PoolDeclaredTier"][];
        };
        /**
         * Parallelism
         * @description Over how many accelerators one replica spreads: their product.
         */
        PoolParallelism: {
            /**
             * Data
             * @default 1
             */
            data?: number;
            /**
             * Pipeline
             * @default 1
             */
            pipeline?: number;
            /**
             * Tensor
             * @default 1
             */
            tensor?: number;
        };
        /**
         * Placement
         * @description Where the pods of one group run: all on nodes with one value of the label `domain` (a rack, a block of switches).
         *
         *     `exclusive`: no other group runs there. `sub_group_size` pods of a group, with consecutive ranks, share one value
         *     of `sub_group_domain` as well (an NVLink domain within a block).
         */
        PoolPlacement: {
            /** Domain */
            domain: string;
            /**
             * Exclusive
             * @default false
             */
            exclusive?: boolean;
            /**
             * Subgroupdomain
             * @default null
             */
            subGroupDomain?: string | null;
            /**
             * Subgroupsize
             * @default null
             */
            subGroupSize?: number | null;
        };
        /**
         * Policies
         * @description What Lamplight does by itself.
         *
         *     `apply`: whether an accepted spec goes live at once or waits for a person's approval. `drift`: whether fields that
         *     somebody edited by hand are put right (a few times, never against one who keeps writing) or only reported.
         */
        PoolPolicies: {
            /**
             * Apply
             * @default automatic
             * @enum {string}
             */
            apply?: "automatic" | "approval";
            /**
             * Drift
             * @default heal
             * @enum {string}
             */
            drift?: "report" | "heal";
        };
        /**
         * PrecisePrefix
         * @description The index of KV blocks that the picker keeps from the engines' events.
         *
         *     `block_size`: tokens of a block, the same on engine and picker. `tier_weights`: what a block on the host counts
         *     beside one on the device. `speculative`: blocks count as present from the routing on, before the event comes.
         *     `peak_prefill_throughput`: prompt tokens a second of one replica, measured for this model on this accelerator; it
         *     decides when a shorter queue beats a cached prefix.
         */
        PoolPrecisePrefix: {
            /**
             * Blocksize
             * @default 64
             * @enum {integer}
             */
            blockSize?: 16 | 32 | 64 | 128 | 256;
            /**
             * Hostweight
             * @default 0.8
             */
            hostWeight?: number;
            /**
             * Peakprefillthroughput
             * @default null
             */
            peakPrefillThroughput?: number | null;
            /**
             * Speculative
             * @default true
             */
            speculative?: boolean;
        };
        /**
         * Prediction
         * @description Balancing by predicted latency: how many servers predict, and how much a cached prefix binds.
         *
         *     `affinity`: share of a prompt that must be cached for its replica to be preferred. `ttft_weight`: what headroom of
         *     TTFT counts beside that of TPOT (they sum to 1). `admission`: requests of negative priority that no replica can
         *     serve within their latency are refused.
         */
        PoolPrediction: {
            /**
             * Admission
             * @default false
             */
            admission?: boolean;
            /**
             * Affinity
             * @default 0.8
             */
            affinity?: number;
            /**
             * Servers
             * @default 1
             */
            servers?: number;
            /**
             * Slobuffer
             * @default 1
             */
            sloBuffer?: number;
            /**
             * Streaming
             * @default true
             */
            streaming?: boolean;
            /**
             * Ttftweight
             * @default 0.8
             */
            ttftWeight?: number;
        };
        /**
         * PriorityBand
         * @description A class of traffic by priority: what it may hold back in the queue, and how its queue is ordered.
         *
         *     Clients name it in the objective header. Requests of a negative priority are shed first.
         */
        PoolPriorityBand: {
            /**
             * Fairness
             * @default round-robin
             * @enum {string}
             */
            fairness?: "round-robin" | "global-strict" | "program-aware";
            /**
             * Maxbytes
             * @default null
             */
            maxBytes?: string | null;
            /**
             * Maxrequests
             * @default null
             */
            maxRequests?: number | null;
            /** Name */
            name: string;
            /**
             * Ordering
             * @default fcfs
             * @enum {string}
             */
            ordering?: "fcfs" | "edf" | "slo-deadline";
            /** Priority */
            priority: number;
        };
        /**
         * ReplicaBounds
         * @description The only bounds of a variant's replicas; a replica target is clamped to them.
         */
        PoolReplicaBounds: {
            /**
             * Max
             * @default 1
             */
            max?: number;
            /**
             * Min
             * @default 1
             */
            min?: number;
        };
        /**
         * Resources
         * @description What one replica asks of its node besides accelerators.
         */
        PoolResources: {
            /**
             * Cpu
             * @default 8
             * @example 8
             */
            cpu?: string;
            /**
             * Memory
             * @description An amount of memory or storage with its unit.
             * @default 68719476736
             * @example 64Gi
             */
            memory?: string;
        };
        /**
         * Rewrite
         * @description Requests for `model` are served by `targets`, by weight: canaries of adapters, and names that stay.
         */
        PoolRewrite: {
            /** Model */
            model: string;
            /** Targets */
            targets: components["schemas"]["PoolRewriteTarget"][];
        };
        /**
         * RewriteTarget
         * @description A model that a share of the requests is sent to instead.
         */
        PoolRewriteTarget: {
            /** Model */
            model: string;
            /**
             * Weight
             * @default 1
             */
            weight?: number;
        };
        /**
         * Rollout
         * @description How a change replaces replicas, and how a replica leaves.
         *
         *     `max_surge`, `max_unavailable`: replicas beside the present ones, and fewer than them, while a change rolls; auto:
         *     one beside them where an accelerator is free for it, else one after another in place.
         *     `drain_delay`: from leaving the routing to SIGTERM. `shutdown_timeout`: what running requests may take after it.
         */
        PoolRollout: {
            /**
             * Draindelay
             * @description A length of time with its unit.
             * @default PT10S
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            drainDelay?: string;
            /**
             * Maxsurge
             * @default auto
             */
            maxSurge?: number | "auto";
            /**
             * Maxunavailable
             * @default auto
             */
            maxUnavailable?: number | "auto";
            /**
             * Progressdeadline
             * @description A length of time with its unit.
             * @default PT30M
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            progressDeadline?: string;
            /**
             * Shutdowntimeout
             * @description A length of time with its unit.
             * @default PT1M
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            shutdownTimeout?: string;
        };
        /**
         * Routing
         * @description How requests reach a replica: through an endpoint picker or spread by the Service; from a Gateway or directly.
         *
         *     `picker_replicas`: how many pickers run side by side (left out: one); only a precise prefix index may, because each
         *     of several keeps all of it. `scheduler`: an EndpointPickerConfig of one's own in place of the rendered one.
         *     `precise`, `disaggregation`, `expertParallel`, `prediction`, `flowControl`: settings of the paths of these names.
         */
        PoolRouting: {
            /** @default null */
            disaggregation?: components["schemas"]["PoolDisaggregation"] | null;
            /** @default null */
            expertParallel?: components["schemas"]["PoolExpertParallel"] | null;
            /** @default null */
            flowControl?: components["schemas"]["PoolFlowControl"] | null;
            /** @default null */
            gateway?: components["schemas"]["PoolGatewayRef"] | null;
            /**
             * Picker
             * @default true
             */
            picker?: boolean;
            /**
             * Pickerreplicas
             * @default null
             */
            pickerReplicas?: number | null;
            /** @default null */
            precise?: components["schemas"]["PoolPrecisePrefix"] | null;
            /** @default null */
            prediction?: components["schemas"]["PoolPrediction"] | null;
            /**
             * Rewrites
             * @default null
             */
            rewrites?: components["schemas"]["PoolRewrite"][] | null;
            /**
             * Scheduler
             * @default null
             */
            scheduler?: {
                [key: string]: unknown;
            } | null;
            /**
             * @default {
             *       "queue": 2,
             *       "kvCacheUtilization": 2,
             *       "prefixCache": 3
             *     }
             */
            weights?: components["schemas"]["PoolWeights"];
        };
        /**
         * Schedule
         * @description A floor (`min`) and ceiling (`max`) of the whole pool's replicas on some days, by the clock of a time zone. An
         *     end that is not after the start lies on the next day.
         */
        PoolSchedule: {
            /** Days */
            days: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
            /**
             * End
             * @example 18:30
             */
            end: string;
            /**
             * Max
             * @default null
             */
            max?: number | null;
            /**
             * Min
             * @default null
             */
            min?: number | null;
            /** Name */
            name: string;
            /**
             * Start
             * @example 08:00
             */
            start: string;
            /**
             * Timezone
             * @default UTC
             */
            timeZone?: string;
        };
        /**
         * PoolSpec
         * @description What `spec` of a Pool says. Cluster and namespace cannot change afterwards.
         *
         *     `dialect`: the llm-d release that it is rendered for, where that is not its cluster's.
         */
        PoolSpecDocument: {
            /** @default null */
            adapters?: components["schemas"]["PoolAdapters"] | null;
            /**
             * @default {
             *       "mode": "off",
             *       "idle": "keep",
             *       "standby": "reserved",
             *       "sets": 1,
             *       "handover": "none",
             *       "schedules": [],
             *       "freezes": []
             *     }
             */
            autoscaling?: components["schemas"]["PoolAutoscaling"];
            /** Cluster */
            cluster: string;
            /**
             * Dialect
             * @default null
             */
            dialect?: ("current" | "0.5") | null;
            /**
             * @default {
             *       "image": "vllm/vllm-openai:v0.33.0",
             *       "args": [],
             *       "env": {}
             *     }
             */
            engine?: components["schemas"]["PoolEngine"];
            /** Model */
            model: string;
            /** @default null */
            modelCache?: components["schemas"]["PoolModelCache"] | null;
            /** Namespace */
            namespace: string;
            /**
             * @default {
             *       "mode": "off",
             *       "tiers": [],
             *       "minPrefixTokens": 256,
             *       "promptOnly": true,
             *       "connector": "native"
             *     }
             */
            offload?: components["schemas"]["PoolOffload"];
            /**
             * Path
             * @default optimized-baseline
             * @enum {string}
             */
            path?: "optimized-baseline" | "precise-prefix-cache" | "pd-disaggregation" | "wide-ep" | "tiered-prefix-cache" | "predicted-latency" | "flow-control" | "scale-to-zero";
            /**
             * @default {
             *       "apply": "automatic",
             *       "drift": "heal"
             *     }
             */
            policies?: components["schemas"]["PoolPolicies"];
            /**
             * @default {
             *       "maxSurge": "auto",
             *       "maxUnavailable": "auto",
             *       "progressDeadline": "30m",
             *       "drainDelay": "10s",
             *       "shutdownTimeout": "1m"
             *     }
             */
            rollout?: components["schemas"]["PoolRollout"];
            /**
             * @default {
             *       "picker": true,
             *       "weights": {
             *         "kvCacheUtilization": 2,
             *         "prefixCache": 3,
             *         "queue": 2
             *       }
             *     }
             */
            routing?: components["schemas"]["PoolRouting"];
            /** @default null */
            speculative?: components["schemas"]["PoolSpeculative"] | null;
            /** Variants */
            variants: components["schemas"]["PoolVariant"][];
        };
        /**
         * Speculative
         * @description Tokens are guessed and checked together. `ngram` guesses from the prompt, `draft` by a smaller model, `mtp` by
         *     the model's own extra layers, `eagle` and `eagle3` by a head trained for the model.
         */
        PoolSpeculative: {
            /**
             * Lookupmax
             * @default 4
             */
            lookupMax?: number;
            /**
             * Lookupmin
             * @default 2
             */
            lookupMin?: number;
            /**
             * Method
             * @enum {string}
             */
            method: "ngram" | "draft" | "mtp" | "eagle" | "eagle3";
            /**
             * Model
             * @default null
             */
            model?: string | null;
            /**
             * Tokens
             * @default 3
             */
            tokens?: number;
        };
        /**
         * Variant
         * @description Replicas of one shape: accelerator, parallelism, role.
         *
         *     `image`: in place of the engine's, where one build does not serve all variants. `devices`: how accelerators are
         *     asked for: as a resource of the device plugin, or by a claim (dynamic resource allocation). `queue`: the Kueue
         *     queue that admits its pods.
         */
        PoolVariant: {
            /** Accelerator */
            accelerator: string;
            /**
             * Capacitytype
             * @default on-demand
             * @enum {string}
             */
            capacityType?: "on-demand" | "spot" | "reserved";
            /**
             * Devices
             * @default null
             */
            devices?: ("plugin" | "claim") | null;
            /**
             * Groupsize
             * @default 1
             */
            groupSize?: number;
            /**
             * Image
             * @default null
             */
            image?: string | null;
            /** Name */
            name: string;
            /**
             * @default {
             *       "tensor": 1,
             *       "pipeline": 1,
             *       "data": 1
             *     }
             */
            parallelism?: components["schemas"]["PoolParallelism"];
            /**
             * Queue
             * @default null
             */
            queue?: string | null;
            /**
             * @default {
             *       "min": 1,
             *       "max": 1
             *     }
             */
            replicas?: components["schemas"]["PoolReplicaBounds"];
            /**
             * @default {
             *       "cpu": "8",
             *       "memory": "64Gi"
             *     }
             */
            resources?: components["schemas"]["PoolResources"];
            /**
             * Role
             * @default both
             * @enum {string}
             */
            role?: "both" | "prefill" | "decode";
        };
        /**
         * Weights
         * @description How much each score counts when the endpoint picker chooses a replica. `cold_spread`: that a prompt of which
         *     nothing is cached goes to the replica that got none for the longest time.
         */
        PoolWeights: {
            /**
             * Coldspread
             * @default null
             */
            coldSpread?: number | null;
            /**
             * Kvcacheutilization
             * @default 2
             */
            kvCacheUtilization?: number;
            /**
             * Prefixcache
             * @default 3
             */
            prefixCache?: number;
            /**
             * Queue
             * @default 2
             */
            queue?: number;
        };
        /** @description RFC 9457 problem document. */
        Problem: {
            detail: string;
            errors?: {
                column?: number;
                detail?: string;
                /** @description which document of a bundle, from 0 */
                document?: number;
                line?: number;
                /** @description JSON pointer into the document */
                pointer?: string;
            }[];
            status: number;
            title: string;
            type: string;
        };
        SLO: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "SLO";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["SLOSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        SLOList: {
            items: components["schemas"]["SLO"][];
            next: string | null;
        };
        /**
         * Objective
         * @description `fraction` of what is counted is good, over `window`.
         *
         *     ttft (time to first token), e2e (whole request) and tpot (mean time between the tokens of a request) count
         *     requests, itl counts the times between tokens; each is good within `threshold`. errors counts requests, good unless
         *     they were shed, failed or timed out, and has no threshold.
         */
        SLOObjective: {
            /**
             * Fraction
             * @description A fraction as a percentage.
             * @example 95%
             */
            fraction: string;
            /**
             * Metric
             * @enum {string}
             */
            metric: "ttft" | "e2e" | "tpot" | "itl" | "errors";
            /**
             * Threshold
             * @default null
             */
            threshold?: string | null;
            /**
             * Window
             * @description A length of time with its unit.
             * @default P28D
             * @example 500ms
             * @example 10m
             * @example 28d
             */
            window?: string;
        };
        /**
         * SLOSpec
         * @description Objectives of one pool or endpoint. `measured_at`: `gateway` is what clients see, `engine` what engines report.
         *
         *     Left out it is the gateway where the pool has an endpoint picker, else the engines. An endpoint is measured at the
         *     gateways of all pools that it names, together. `traffic`: whose requests count, all where it is left out.
         */
        SLOSpecDocument: {
            /**
             * Measuredat
             * @default null
             */
            measuredAt?: ("gateway" | "engine") | null;
            /** Objectives */
            objectives: components["schemas"]["SLOObjective"][];
            targetRef: components["schemas"]["SLOTargetRef"];
            /** @default null */
            traffic?: components["schemas"]["SLOTraffic"] | null;
        };
        /**
         * TargetRef
         * @description Whose promise it is.
         */
        SLOTargetRef: {
            /**
             * Kind
             * @default Pool
             * @enum {string}
             */
            kind?: "Pool" | "Endpoint";
            /** Name */
            name: string;
        };
        /**
         * Traffic
         * @description Whose requests count: those of a tenant (llm-d's fairness id), of a priority, or of both.
         */
        SLOTraffic: {
            /**
             * Priority
             * @default null
             */
            priority?: number | null;
            /**
             * Tenant
             * @default null
             */
            tenant?: string | null;
        };
        Webhook: {
            /** @enum {string} */
            apiVersion: "lamplight.dev/v1";
            /** @enum {string} */
            kind: "Webhook";
            metadata: {
                annotations?: {
                    [key: string]: string;
                };
                /** Format: date-time */
                createdAt?: string;
                /** Format: date-time */
                deletionRequestedAt?: string | null;
                generation?: number;
                labels?: {
                    [key: string]: string;
                };
                name: string;
                team?: string;
                /** Format: uuid */
                uid?: string;
                /** Format: date-time */
                updatedAt?: string;
                version?: number;
            };
            spec: components["schemas"]["WebhookSpecDocument"];
            readonly status?: {
                conditions?: components["schemas"]["Condition"][];
            } & {
                [key: string]: unknown;
            };
        };
        WebhookList: {
            items: components["schemas"]["Webhook"][];
            next: string | null;
        };
        /**
         * WebhookSpec
         * @description `url` is sent a POST for each alert of the team's SLOs that begins or ends. Empty `slos` stands for all.
         */
        WebhookSpecDocument: {
            /**
             * Enabled
             * @default true
             */
            enabled?: boolean;
            /**
             * Severities
             * @default [
             *       "page",
             *       "ticket"
             *     ]
             */
            severities?: ("page" | "ticket")[];
            /**
             * Slos
             * @default []
             */
            slos?: string[];
            /** Url */
            url: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    accelerators: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            memoryBytes?: number;
                            name?: string;
                            price?: string | null;
                            pricedOn?: string | null;
                            priceSource?: string | null;
                            resource?: string | null;
                            title?: string;
                            vendor?: string;
                        }[];
                    };
                    "application/yaml": {
                        items?: {
                            memoryBytes?: number;
                            name?: string;
                            price?: string | null;
                            pricedOn?: string | null;
                            priceSource?: string | null;
                            resource?: string | null;
                            title?: string;
                            vendor?: string;
                        }[];
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    alerts: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Name of the endpoint that the SLO is about. */
                endpoint?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
                /** @description Name of the pool that the SLO is about. */
                pool?: string;
                /** @description Name of the SLO. */
                slo?: string;
                state?: "firing" | "resolved";
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    apply: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
                /** @description Team of documents that name none (default: default). */
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            /** @enum {string} */
                            action?: "created" | "updated" | "unchanged";
                            kind?: string;
                            name?: string;
                            object?: Record<string, never>;
                            problem?: components["schemas"]["Problem"];
                            team?: string;
                        }[];
                    };
                    "application/yaml": {
                        items?: {
                            /** @enum {string} */
                            action?: "created" | "updated" | "unchanged";
                            kind?: string;
                            name?: string;
                            object?: Record<string, never>;
                            problem?: components["schemas"]["Problem"];
                            team?: string;
                        }[];
                    };
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changes: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Pool, Model, … */
                kind?: string;
                /** @description Items in one answer. */
                limit?: number;
                name?: string;
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: Record<string, never>[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: Record<string, never>[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClusterList"];
                    "application/yaml": components["schemas"]["ClusterList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    conditions: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    decisions: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Unix seconds: only those that still held then or later. */
                from?: number;
                /** @description Items in one answer. */
                limit?: number;
                /** @description Only of this team. */
                team?: string;
                /** @description Unix seconds: only those that were first taken by then. */
                to?: number;
                /** @description Only these, separated by commas: up, down, mix, hold, frozen, zero, from-zero, sleep, wake; `moves`: all but hold and frozen. */
                verb?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndpointList"];
                    "application/yaml": components["schemas"]["EndpointList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Pool, Model, … */
                kind?: string;
                /** @description Items in one answer. */
                limit?: number;
                name?: string;
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: Record<string, never>[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: Record<string, never>[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    export: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description One team only. */
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: Record<string, never>[];
                    };
                    "application/yaml": {
                        items?: Record<string, never>[];
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    fleet: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                health?: string;
                /** @description Rows, at most 1000; totals are over all that match. */
                limit?: number;
                model?: string;
                /** @description Exactly this pool's name, in every team or in `team`. */
                name?: string;
                order?: "asc" | "desc";
                /** @description Part of the name, team, model or cluster. */
                q?: string;
                sort?: "accelerators" | "changed" | "cluster" | "cost" | "health" | "hits" | "itl" | "model" | "name" | "replicas" | "requests" | "sync" | "team" | "tokens" | "ttft";
                sync?: string;
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                    "application/yaml": components["schemas"]["ModelList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    plan: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
                /** @description Team of documents that name none (default: default). */
                team?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PoolList"];
                    "application/yaml": components["schemas"]["PoolList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session_get: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        /** User */
                        user?: {
                            superuser?: boolean;
                            username?: string;
                        };
                    };
                    "application/yaml": {
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        /** User */
                        user?: {
                            superuser?: boolean;
                            username?: string;
                        };
                    };
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session_login: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** Password */
                    password: string;
                    /** Username */
                    username: string;
                };
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        /** User */
                        user?: {
                            superuser?: boolean;
                            username?: string;
                        };
                    };
                    "application/yaml": {
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        /** User */
                        user?: {
                            superuser?: boolean;
                            username?: string;
                        };
                    };
                };
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    session_logout: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Logged out. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    password_change: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** Current */
                    current: string;
                    /** New */
                    new: string;
                };
            };
        };
        responses: {
            /** @description Changed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLOList"];
                    "application/yaml": components["schemas"]["SLOList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    teams_list: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            createdAt?: string;
                            name?: string;
                            role?: string | null;
                        }[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: {
                            createdAt?: string;
                            name?: string;
                            role?: string | null;
                        }[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    teams_create: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** Name */
                    name: string;
                };
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        createdAt?: string;
                        name?: string;
                        role?: string | null;
                    };
                    "application/yaml": {
                        createdAt?: string;
                        name?: string;
                        role?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    teams_get: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        createdAt?: string;
                        name?: string;
                        role?: string | null;
                    };
                    "application/yaml": {
                        createdAt?: string;
                        name?: string;
                        role?: string | null;
                    };
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    teams_delete: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClusterList"];
                    "application/yaml": components["schemas"]["ClusterList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Cluster"];
                "application/yaml": components["schemas"]["Cluster"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                    "application/yaml": components["schemas"]["Cluster"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                    "application/yaml": components["schemas"]["Cluster"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Cluster"];
                "application/yaml": components["schemas"]["Cluster"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                    "application/yaml": components["schemas"]["Cluster"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                    "application/yaml": components["schemas"]["Cluster"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Cluster"];
                    "application/yaml": components["schemas"]["Cluster"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_inventory: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    clusters_preflight: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndpointList"];
                    "application/yaml": components["schemas"]["EndpointList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Endpoint"];
                "application/yaml": components["schemas"]["Endpoint"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                    "application/yaml": components["schemas"]["Endpoint"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                    "application/yaml": components["schemas"]["Endpoint"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Endpoint"];
                "application/yaml": components["schemas"]["Endpoint"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                    "application/yaml": components["schemas"]["Endpoint"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                    "application/yaml": components["schemas"]["Endpoint"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    endpoints_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                    "application/yaml": components["schemas"]["Endpoint"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    import: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    members_list: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            role?: string;
                            username?: string;
                        }[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: {
                            role?: string;
                            username?: string;
                        }[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    members_set: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
                username: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Role
                     * @enum {string}
                     */
                    role: "viewer" | "editor" | "admin";
                };
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        role?: string;
                        username?: string;
                    };
                    "application/yaml": {
                        role?: string;
                        username?: string;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    members_remove: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                team: string;
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No longer a member. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                    "application/yaml": components["schemas"]["ModelList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Model"];
                "application/yaml": components["schemas"]["Model"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                    "application/yaml": components["schemas"]["Model"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                    "application/yaml": components["schemas"]["Model"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Model"];
                "application/yaml": components["schemas"]["Model"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                    "application/yaml": components["schemas"]["Model"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                    "application/yaml": components["schemas"]["Model"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                    "application/yaml": components["schemas"]["Model"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_fit: {
        parameters: {
            query?: {
                /** @description Only this one; else all. */
                accelerator?: string;
                format?: "json" | "yaml";
                /** @description Of the KV cache, where it is not the model's. */
                kvCacheDtype?: "auto" | "fp8";
                /** @description Tokens of the longest request; at least one must fit. */
                maxModelLen?: number;
                /** @description Pipeline stages (1). */
                pipeline?: number;
                /** @description Only this tensor parallelism; else 1, 2, 4 and 8. */
                tensor?: number;
                /** @description Share of memory for the engine (0.92). */
                utilization?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    models_suggestions: {
        parameters: {
            query: {
                /** @description Share of prompt tokens found cached (0). */
                cached?: number;
                format?: "json" | "yaml";
                /** @description Of requests that keep it, such as 95% (95%). */
                fraction?: string;
                /** @description Tokens of the longest request. */
                maxModelLen?: number;
                /** @description Mean of an answer (200). */
                outputTokens?: number;
                /** @description Mean of a prompt (1000). */
                promptTokens?: number;
                /** @description Of the busy hours. */
                requestsPerSecond: number;
                /** @description Mean time per output token, such as 50ms. */
                tpot?: string;
                /** @description Time to first token, such as 500ms. */
                ttft?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PoolList"];
                    "application/yaml": components["schemas"]["PoolList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Pool"];
                "application/yaml": components["schemas"]["Pool"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                    "application/yaml": components["schemas"]["Pool"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                    "application/yaml": components["schemas"]["Pool"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Pool"];
                "application/yaml": components["schemas"]["Pool"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                    "application/yaml": components["schemas"]["Pool"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                    "application/yaml": components["schemas"]["Pool"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pool"];
                    "application/yaml": components["schemas"]["Pool"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_autoscaling: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_decisions: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Unix seconds: only those that still held then or later. */
                from?: number;
                /** @description Items in one answer. */
                limit?: number;
                /** @description Unix seconds: only those that were first taken by then. */
                to?: number;
                /** @description Only these, separated by commas: up, down, mix, hold, frozen, zero, from-zero, sleep, wake; `moves`: all but hold and frozen. */
                verb?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_decision: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_decision_replay: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_integrity: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_loads: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        }[];
                        next: string | null;
                    };
                    "application/yaml": {
                        items: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        }[];
                        next: string | null;
                    };
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_load_begin: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Of one request, as 2m. */
                    deadline?: string;
                    /** @description As 2m. */
                    duration?: string;
                    label?: string;
                    outputTokens?: number;
                    /** @enum {string} */
                    pattern?: "steady" | "ramp" | "burst";
                    /** @description Of a user after an answer, as 2s. */
                    pause?: string;
                    promptTokens?: number;
                    /** @description Requests/s, whether or not earlier ones were answered. */
                    rate?: number;
                    /** @description The same one sends the same prompts; left out, prompts are new. */
                    seed?: number;
                    /** @enum {string} */
                    shape?: "chat" | "questions" | "documents";
                    /** @description Instead of a rate: so many, each waits for its answer. */
                    users?: number;
                };
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                    "application/yaml": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_load: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                load: string;
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                    "application/yaml": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_loads_compare: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                load: string;
                name: string;
                other: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Load */
                        after: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        };
                        /** Load */
                        before: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        };
                        /** @description The same load, and enough answers on both sides. */
                        comparable: boolean;
                        differs: {
                            after: unknown;
                            before: unknown;
                            field: string;
                        }[];
                        figures: {
                            after: number | null;
                            before: number | null;
                            change: number | null;
                            key: string;
                            title: string;
                            unit: string;
                        }[];
                        objectives: {
                            after: number | null;
                            before: number | null;
                            fraction: number;
                            key: string;
                            metric: string;
                            slo: string;
                            threshold: number | null;
                            /** @enum {string} */
                            verdictAfter: "met" | "missed" | "unknown";
                            /** @enum {string} */
                            verdictBefore: "met" | "missed" | "unknown";
                        }[];
                        sentence: string;
                    };
                    "application/yaml": {
                        /** Load */
                        after: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        };
                        /** Load */
                        before: {
                            /** Format: date-time */
                            createdAt: string;
                            createdBy: string | null;
                            /** Format: date-time */
                            finishedAt: string | null;
                            generation: number;
                            id: string;
                            label: string;
                            measured: {
                                cachedTokens: number | null;
                                cutOff: number;
                                e2e: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                errors: {
                                    code: string;
                                    count: number;
                                    message: string;
                                }[];
                                failed: number;
                                inFlight: number;
                                itl: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                late: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                objectives: {
                                    fraction: number;
                                    good: number;
                                    key: string;
                                    metric: string;
                                    share: number | null;
                                    slo: string;
                                    threshold: number | null;
                                    total: number;
                                    /** @enum {string} */
                                    verdict: "met" | "missed" | "unknown";
                                }[];
                                ok: number;
                                okRate: number | null;
                                outputTokenRate: number | null;
                                outputTokens: number;
                                promptTokens: number;
                                seconds: number;
                                sent: number;
                                sentRate: number | null;
                                shed: number;
                                slices: {
                                    at: number;
                                    failed: number;
                                    itlP95: number | null;
                                    ok: number;
                                    sent: number;
                                    ttftP50: number | null;
                                    ttftP95: number | null;
                                }[];
                                sliceSeconds: number;
                                tpot: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                                ttft: {
                                    count: number;
                                    max: number;
                                    mean: number;
                                    p50: number;
                                    p90: number;
                                    p95: number;
                                    p99: number;
                                } | null;
                            } | null;
                            message: string;
                            readyAtEnd: number | null;
                            readyAtStart: number | null;
                            /** LoadRequest */
                            request: {
                                /** @description Of one request, as 2m. */
                                deadline?: string;
                                /** @description As 2m. */
                                duration?: string;
                                label?: string;
                                outputTokens?: number;
                                /** @enum {string} */
                                pattern?: "steady" | "ramp" | "burst";
                                /** @description Of a user after an answer, as 2s. */
                                pause?: string;
                                promptTokens?: number;
                                /** @description Requests/s, whether or not earlier ones were answered. */
                                rate?: number;
                                /** @description The same one sends the same prompts; left out, prompts are new. */
                                seed?: number;
                                /** @enum {string} */
                                shape?: "chat" | "questions" | "documents";
                                /** @description Instead of a rate: so many, each waits for its answer. */
                                users?: number;
                            };
                            /** @description How long requests are sent. */
                            seconds: number;
                            sentence: string;
                            /** Format: date-time */
                            startedAt: string | null;
                            /** @enum {string} */
                            status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                            /** Format: date-time */
                            stopRequestedAt: string | null;
                        };
                        /** @description The same load, and enough answers on both sides. */
                        comparable: boolean;
                        differs: {
                            after: unknown;
                            before: unknown;
                            field: string;
                        }[];
                        figures: {
                            after: number | null;
                            before: number | null;
                            change: number | null;
                            key: string;
                            title: string;
                            unit: string;
                        }[];
                        objectives: {
                            after: number | null;
                            before: number | null;
                            fraction: number;
                            key: string;
                            metric: string;
                            slo: string;
                            threshold: number | null;
                            /** @enum {string} */
                            verdictAfter: "met" | "missed" | "unknown";
                            /** @enum {string} */
                            verdictBefore: "met" | "missed" | "unknown";
                        }[];
                        sentence: string;
                    };
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_load_stop: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                load: string;
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                    "application/yaml": {
                        /** Format: date-time */
                        createdAt: string;
                        createdBy: string | null;
                        /** Format: date-time */
                        finishedAt: string | null;
                        generation: number;
                        id: string;
                        label: string;
                        measured: {
                            cachedTokens: number | null;
                            cutOff: number;
                            e2e: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            errors: {
                                code: string;
                                count: number;
                                message: string;
                            }[];
                            failed: number;
                            inFlight: number;
                            itl: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            late: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            objectives: {
                                fraction: number;
                                good: number;
                                key: string;
                                metric: string;
                                share: number | null;
                                slo: string;
                                threshold: number | null;
                                total: number;
                                /** @enum {string} */
                                verdict: "met" | "missed" | "unknown";
                            }[];
                            ok: number;
                            okRate: number | null;
                            outputTokenRate: number | null;
                            outputTokens: number;
                            promptTokens: number;
                            seconds: number;
                            sent: number;
                            sentRate: number | null;
                            shed: number;
                            slices: {
                                at: number;
                                failed: number;
                                itlP95: number | null;
                                ok: number;
                                sent: number;
                                ttftP50: number | null;
                                ttftP95: number | null;
                            }[];
                            sliceSeconds: number;
                            tpot: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                            ttft: {
                                count: number;
                                max: number;
                                mean: number;
                                p50: number;
                                p90: number;
                                p95: number;
                                p99: number;
                            } | null;
                        } | null;
                        message: string;
                        readyAtEnd: number | null;
                        readyAtStart: number | null;
                        /** LoadRequest */
                        request: {
                            /** @description Of one request, as 2m. */
                            deadline?: string;
                            /** @description As 2m. */
                            duration?: string;
                            label?: string;
                            outputTokens?: number;
                            /** @enum {string} */
                            pattern?: "steady" | "ramp" | "burst";
                            /** @description Of a user after an answer, as 2s. */
                            pause?: string;
                            promptTokens?: number;
                            /** @description Requests/s, whether or not earlier ones were answered. */
                            rate?: number;
                            /** @description The same one sends the same prompts; left out, prompts are new. */
                            seed?: number;
                            /** @enum {string} */
                            shape?: "chat" | "questions" | "documents";
                            /** @description Instead of a rate: so many, each waits for its answer. */
                            users?: number;
                        };
                        /** @description How long requests are sent. */
                        seconds: number;
                        sentence: string;
                        /** Format: date-time */
                        startedAt: string | null;
                        /** @enum {string} */
                        status: "queued" | "running" | "done" | "stopped" | "failed" | "lost";
                        /** Format: date-time */
                        stopRequestedAt: string | null;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_migration: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_objects: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_curve: {
        parameters: {
            query?: {
                /** @description Only blocks of this class. */
                class?: string;
                format?: "json" | "yaml";
                /** @description `replica` (a cache each; the default) or `pool` (one for all). */
                scope?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_decisions: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
                /** @description Only these, separated by commas: hold, canary, keep, roll-back, retire, advise, blind; `moves`: all but hold and blind. */
                verb?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_decision: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_decision_replay: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_probe: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_offload_what_if: {
        parameters: {
            query?: {
                /** @description What a filesystem tier of this size would bring, as 256Gi. */
                filesystem?: string;
                format?: "json" | "yaml";
                /** @description What a host tier of this size would bring, as 256Gi. */
                host?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    panels_list: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    panels_read: {
        parameters: {
            query?: {
                /** @description Unix seconds or ISO 8601; 15 minutes before `to` when left out. */
                from?: string;
                /** @description Seconds between points; a round one for the range when left out. */
                step?: string;
                /** @description Unix seconds or ISO 8601; now when left out. */
                to?: string;
                /** @description Of canaries only, or of what ran beside them; engines' charts. */
                track?: "canary" | "stable";
                /** @description Of one variant only. */
                variant?: string;
            };
            header?: never;
            path: {
                name: string;
                panel: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_plan: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
                "application/yaml": string;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_plans: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
                state?: "applied" | "open" | "superseded";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_plan_detail: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_plan_apply: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                name: string;
                number: number;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_pod_logs: {
        parameters: {
            query?: {
                /** @description default: the pod's first */
                container?: string;
                format?: "json" | "yaml";
                /** @description of the run before the present one */
                previous?: boolean;
                /** @description lines, 1 to 2000; default 200 */
                tail?: number;
            };
            header?: never;
            path: {
                name: string;
                pod: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    replica_signals_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_replicas: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_revisions: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_revisions_diff: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                after: number;
                before: number;
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_rollback: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                generation: number;
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_rollout: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_steer_rollout: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_routes: {
        parameters: {
            query?: {
                /** @description That this replica won or served. */
                endpoint?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
                /** @description Of requests for this model. */
                model?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_route: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                route: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_routes_explain: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_selected: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_simulate: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_simulations: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_simulation: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                simulation: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_targets: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_set_targets: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_tree: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_verifications: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_verify: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pools_verification: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
                verification: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                    "application/yaml": Record<string, never>;
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLOList"];
                    "application/yaml": components["schemas"]["SLOList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SLO"];
                "application/yaml": components["schemas"]["SLO"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLO"];
                    "application/yaml": components["schemas"]["SLO"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLO"];
                    "application/yaml": components["schemas"]["SLO"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SLO"];
                "application/yaml": components["schemas"]["SLO"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLO"];
                    "application/yaml": components["schemas"]["SLO"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLO"];
                    "application/yaml": components["schemas"]["SLO"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SLO"];
                    "application/yaml": components["schemas"]["SLO"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_attainment: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Unix seconds or ISO 8601; the objective's window before `to` when left out. */
                from?: string;
                /** @description Seconds of a step; at most 1000 steps; a day when left out. */
                step?: string;
                /** @description Unix seconds or ISO 8601; now when left out. */
                to?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_budget: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Unix seconds or ISO 8601; the objective's window before `to` when left out. */
                from?: string;
                /** @description Seconds of a step; at most 1000 steps; a day when left out. */
                step?: string;
                /** @description Unix seconds or ISO 8601; now when left out. */
                to?: string;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    slos_burn: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookList"];
                    "application/yaml": components["schemas"]["WebhookList"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_create: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header?: never;
            path: {
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Webhook"];
                "application/yaml": components["schemas"]["Webhook"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                    "application/yaml": components["schemas"]["Webhook"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_get: {
        parameters: {
            query?: {
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                    "application/yaml": components["schemas"]["Webhook"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_replace: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Webhook"];
                "application/yaml": components["schemas"]["Webhook"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                    "application/yaml": components["schemas"]["Webhook"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_delete: {
        parameters: {
            query?: {
                /** @description orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more. */
                cascade?: "background" | "orphan";
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                    "application/yaml": components["schemas"]["Webhook"];
                };
            };
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_patch: {
        parameters: {
            query?: {
                /** @description Check everything, change nothing. */
                dry_run?: boolean;
                format?: "json" | "yaml";
                /** @description Why, for the change records (500 characters). */
                reason?: string;
            };
            header: {
                /** @description ETag of the object that the change was made on; `*` for any. */
                "If-Match": string;
            };
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/merge-patch+json": Record<string, never>;
                "application/yaml": Record<string, never>;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                    "application/yaml": components["schemas"]["Webhook"];
                };
            };
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_deliveries: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_secret: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_test: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                name: string;
                team: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    timeline: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Unix seconds; not older. */
                from?: number;
                /** @description Pool, Model, … */
                kind?: string;
                /** @description Items in one answer. */
                limit?: number;
                name?: string;
                /** @description Only these; both without it. */
                source?: "change" | "event";
                team?: string;
                /** @description Unix seconds; not newer. */
                to?: number;
                /** @description Only events that warn. */
                type?: "Warning";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: {
                            /** @description Who; of an event the controller that tells of it. */
                            actor: string | null;
                            /** Format: date-time */
                            at: string;
                            count: number;
                            generation: number | null;
                            id: number;
                            kind: string;
                            message: string;
                            name: string;
                            /** @description What a change changed, at most 40 places. */
                            parts: {
                                after: unknown;
                                before: unknown;
                                pointer: string;
                            }[];
                            /** @description Why, in the words of who changed it. */
                            reason: string;
                            /** @enum {string} */
                            source: "change" | "event";
                            team: string;
                            /** @description The action of a change; the reason of an event. */
                            title: string;
                            /** @enum {string} */
                            type: "Normal" | "Warning";
                        }[];
                        next: string | null;
                    };
                    "application/yaml": {
                        items: {
                            /** @description Who; of an event the controller that tells of it. */
                            actor: string | null;
                            /** Format: date-time */
                            at: string;
                            count: number;
                            generation: number | null;
                            id: number;
                            kind: string;
                            message: string;
                            name: string;
                            /** @description What a change changed, at most 40 places. */
                            parts: {
                                after: unknown;
                                before: unknown;
                                pointer: string;
                            }[];
                            /** @description Why, in the words of who changed it. */
                            reason: string;
                            /** @enum {string} */
                            source: "change" | "event";
                            team: string;
                            /** @description The action of a change; the reason of an event. */
                            title: string;
                            /** @enum {string} */
                            type: "Normal" | "Warning";
                        }[];
                        next: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tokens_list: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            createdAt?: string;
                            expiresAt?: string | null;
                            lastUsedAt?: string | null;
                            name?: string;
                            prefix?: string;
                            readOnly?: boolean;
                            /** @description The secret; only in the answer to its making. */
                            token?: string;
                            uid?: string;
                        }[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: {
                            createdAt?: string;
                            expiresAt?: string | null;
                            lastUsedAt?: string | null;
                            name?: string;
                            prefix?: string;
                            readOnly?: boolean;
                            /** @description The secret; only in the answer to its making. */
                            token?: string;
                            uid?: string;
                        }[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tokens_create: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Lifetime
                     * @default null
                     */
                    lifetime?: string | null;
                    /** Name */
                    name: string;
                    /**
                     * Readonly
                     * @default false
                     */
                    readOnly?: boolean;
                };
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        createdAt?: string;
                        expiresAt?: string | null;
                        lastUsedAt?: string | null;
                        name?: string;
                        prefix?: string;
                        readOnly?: boolean;
                        /** @description The secret; only in the answer to its making. */
                        token?: string;
                        uid?: string;
                    };
                    "application/yaml": {
                        createdAt?: string;
                        expiresAt?: string | null;
                        lastUsedAt?: string | null;
                        name?: string;
                        prefix?: string;
                        readOnly?: boolean;
                        /** @description The secret; only in the answer to its making. */
                        token?: string;
                        uid?: string;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tokens_delete: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                uid: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    users_list: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items?: {
                            active?: boolean;
                            administrator?: boolean;
                            createdAt?: string;
                            /** @description It has no password, so nobody can log in as it; tokens work. */
                            robot?: boolean;
                            teams?: {
                                name?: string;
                                role?: string;
                            }[];
                            username?: string;
                        }[];
                        next?: string | null;
                    };
                    "application/yaml": {
                        items?: {
                            active?: boolean;
                            administrator?: boolean;
                            createdAt?: string;
                            /** @description It has no password, so nobody can log in as it; tokens work. */
                            robot?: boolean;
                            teams?: {
                                name?: string;
                                role?: string;
                            }[];
                            username?: string;
                        }[];
                        next?: string | null;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    users_create: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Administrator
                     * @default false
                     */
                    administrator?: boolean;
                    /**
                     * Password
                     * @default null
                     */
                    password?: string | null;
                    /** Username */
                    username: string;
                };
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                    "application/yaml": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    users_get: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                username: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                    "application/yaml": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    users_change: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                username: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Active
                     * @default null
                     */
                    active?: boolean | null;
                    /**
                     * Administrator
                     * @default null
                     */
                    administrator?: boolean | null;
                    /**
                     * Password
                     * @default null
                     */
                    password?: string | null;
                };
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                    "application/yaml": {
                        active?: boolean;
                        administrator?: boolean;
                        createdAt?: string;
                        /** @description It has no password, so nobody can log in as it; tokens work. */
                        robot?: boolean;
                        teams?: {
                            name?: string;
                            role?: string;
                        }[];
                        username?: string;
                    };
                };
            };
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    users_token: {
        parameters: {
            query?: {
                format?: "json" | "yaml";
            };
            header?: never;
            path: {
                username: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    /**
                     * Lifetime
                     * @default null
                     */
                    lifetime?: string | null;
                    /** Name */
                    name: string;
                    /**
                     * Readonly
                     * @default false
                     */
                    readOnly?: boolean;
                };
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        createdAt?: string;
                        expiresAt?: string | null;
                        lastUsedAt?: string | null;
                        name?: string;
                        prefix?: string;
                        readOnly?: boolean;
                        /** @description The secret; only in the answer to its making. */
                        token?: string;
                        uid?: string;
                    };
                    "application/yaml": {
                        createdAt?: string;
                        expiresAt?: string | null;
                        lastUsedAt?: string | null;
                        name?: string;
                        prefix?: string;
                        readOnly?: boolean;
                        /** @description The secret; only in the answer to its making. */
                        token?: string;
                        uid?: string;
                    };
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhooks_everywhere: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description yaml: as apply takes it. */
                format?: "json" | "yaml";
                /** @description Items in one answer. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookList"];
                    "application/yaml": components["schemas"]["WebhookList"];
                };
            };
            /** @description Refused: what, where and how to mend it. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
