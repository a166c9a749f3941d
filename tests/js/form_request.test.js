import { requestOf } from "chatty/views/form_request.js";
import { equal, ok } from "tests/assert.js";

const BASE = "https://chat.example/c/7/settings/?page=2";

function formOf(html) {
  document.body.innerHTML = html;
  const form = document.querySelector("form");
  const file = form.querySelector("[type=file]");
  if (file) {
    const chosen = new DataTransfer();
    chosen.items.add(new File(["picture"], "cat.png", { type: "image/png" }));
    file.files = chosen.files;
  }
  return form;
}

export async function test_multipart_form_is_sent_with_its_files() {
  const form = formOf(`<form method="post" action="/me/" enctype="multipart/form-data">
    <input name="name" value="Ada"><input type="file" name="picture"></form>`);
  const { url, body } = requestOf(form, null, BASE);
  equal(url, "https://chat.example/me/");
  ok(body instanceof FormData);
  equal([body.get("name"), body.get("picture").name], ["Ada", "cat.png"]);
  equal(await body.get("picture").text(), "picture");
}

export function test_other_forms_are_url_encoded_with_names_of_files() {
  const form = formOf(`<form method="post" action="/me/"><textarea name="about">a\nb</textarea>
    <input type="file" name="picture"></form>`);
  const { body } = requestOf(form, null, BASE);
  ok(body instanceof URLSearchParams);
  equal(String(body), "about=a%0D%0Ab&picture=cat.png");
}

export function test_form_with_get_is_a_url_without_a_body() {
  const form = formOf(`<form action="?old=1"><input name="q" value="a b"><input name="action"></form>`);
  equal(requestOf(form, null, BASE), { url: "https://chat.example/c/7/settings/?q=a+b&action=", body: null });
}

export function test_pressed_button_can_have_its_own_address_method_and_encoding() {
  const form = formOf(`<form action="/a/"><input name="q" value="1"><button name="on" value="0"
    formaction="/b/" formmethod="post" formenctype="multipart/form-data">Go</button></form>`);
  const { url, body } = requestOf(form, form.querySelector("button"), BASE);
  equal(url, "https://chat.example/b/");
  ok(body instanceof FormData);
  equal(
    [...body],
    [
      ["q", "1"],
      ["on", "0"],
    ],
  );
}
