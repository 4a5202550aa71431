import { Alert, Button, Checkbox, NativeSelect, PasswordInput, Stack, TextInput } from "@mantine/core";
import { safeAddress } from "./address";
import type { LoginArgs, LoginField } from "./types";

function Input({ field }: { field: LoginField }) {
  const shared = { label: field.label, name: field.name, required: field.is_required ?? false };
  if (field.choices) {
    return <NativeSelect {...shared} data={field.choices} defaultValue={String(field.default_value ?? "")} multiple={field.is_multiple ?? false} />;
  }
  if (typeof field.default_value === "boolean") {
    return <Checkbox {...shared} defaultChecked={field.default_value} />;
  }
  const Text = field.is_secret ? PasswordInput : TextInput;
  return <Text {...shared} type={field.is_secret ? undefined : (field.type ?? "text")} defaultValue={field.default_value ?? ""} />;
}

export function Login({ args }: { args: LoginArgs }) {
  const form = args.custom_form;
  return (
    <main className="start">
      <h1>Log in</h1>
      <Stack gap="sm">
        {args.error && (
          <Alert color="red" role="alert">
            {args.error}
          </Alert>
        )}
        {args.info && <Alert color="blue">{args.info}</Alert>}
        {form && (
          <form action={safeAddress(form.callback_url)} method="post">
            <Stack gap="sm">
              {(form.inputs ?? []).map((field) => (
                <Input key={field.name} field={field} />
              ))}
              <Button type="submit">{form.submit_button_text ?? "Log in"}</Button>
            </Stack>
          </form>
        )}
        {args.username_password_callback && (
          <form action={safeAddress(args.username_password_callback)} method="post">
            <Stack gap="sm">
              <TextInput label="Username" name="username" autoComplete="username" />
              <PasswordInput label="Password" name="password" autoComplete="current-password" />
              <Button type="submit">Log in</Button>
            </Stack>
          </form>
        )}
        {(args.auth_providers ?? []).map((provider) => (
          <Button
            key={provider.callback_url}
            component="a"
            variant="default"
            href={safeAddress(provider.callback_url)}
            leftSection={provider.icon_url && <img src={provider.icon_url} alt="" height={20} />}
          >
            {provider.label ?? provider.callback_url}
          </Button>
        ))}
      </Stack>
    </main>
  );
}
