import type { ClientApplication, ClientUser, Team } from 'discord.js';
import type { Payload } from '../format';
import { encodeUser } from './users';
import { bits, copyFields, copySetFields, loose } from './values';
import type { FieldTable } from './values';

/** The bot's own user as READY brings it; never with the token. */
export function encodeClientUser(user: ClientUser): Payload {
  const out = encodeUser(user);
  copyFields(out, loose(user), [['verified', 'verified']]);
  copySetFields(out, loose(user), [['mfa_enabled', 'mfaEnabled']]);
  return out;
}

const FIELDS: FieldTable = [
  ['name', 'name'],
  ['description', 'description'],
  ['icon', 'icon'],
  ['terms_of_service_url', 'termsOfServiceURL'],
  ['privacy_policy_url', 'privacyPolicyURL'],
  ['rpc_origins', 'rpcOrigins'],
  ['cover_image', 'cover'],
  ['verify_key', 'verifyKey'],
  ['tags', 'tags'],
  ['custom_install_url', 'customInstallURL'],
  ['approximate_guild_count', 'approximateGuildCount'],
  ['approximate_user_install_count', 'approximateUserInstallCount'],
  ['approximate_user_authorization_count', 'approximateUserAuthorizationCount'],
  ['guild_id', 'guildId'],
  ['bot_require_code_grant', 'botRequireCodeGrant'],
  ['bot_public', 'botPublic'],
  ['interactions_endpoint_url', 'interactionsEndpointURL'],
  ['role_connections_verification_url', 'roleConnectionsVerificationURL'],
  ['event_webhooks_url', 'eventWebhooksURL'],
  ['event_webhooks_status', 'eventWebhooksStatus'],
  ['event_webhooks_types', 'eventWebhooksTypes'],
];

/** The application: id and flags as READY brings them, and the rest if the bot has fetched it. */
export function encodeApplication(application: ClientApplication): Payload {
  const out: Payload = { id: application.id };
  copySetFields(out, loose(application), FIELDS);
  out['flags'] = bits(application.flags);
  if (application.installParams) out['install_params'] = encodeInstallParams(application.installParams);
  if (application.integrationTypesConfig) {
    out['integration_types_config'] = Object.fromEntries(
      Object.entries(application.integrationTypesConfig).map(([type, context]) => [
        type,
        {
          oauth2_install_params: context.oauth2InstallParams
            ? encodeInstallParams(context.oauth2InstallParams)
            : undefined,
        },
      ]),
    );
  }
  if (application.bot) out['bot'] = encodeUser(application.bot);
  const { owner } = application;
  if (owner) {
    if ('members' in owner) out['team'] = encodeTeam(owner);
    else out['owner'] = encodeUser(owner);
  }
  return out;
}

function encodeInstallParams(params: NonNullable<ClientApplication['installParams']>): Payload {
  return { scopes: params.scopes, permissions: bits(params.permissions) };
}

function encodeTeam(team: Team): Payload {
  return {
    id: team.id,
    name: team.name,
    icon: team.icon,
    owner_user_id: team.ownerId,
    members: team.members.map((member) => ({
      permissions: loose(member)['permissions'],
      membership_state: member.membershipState,
      role: member.role,
      user: encodeUser(member.user),
    })),
  };
}
