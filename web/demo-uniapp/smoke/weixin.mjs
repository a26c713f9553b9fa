// The compiled mini program in Node: what WeChat gives a mini program is played here, as much as paying needs.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const built = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../dist/build/mp-weixin");
const fileOf = (component, kind) => path.join(built, `uni_modules/paybundle-cashier/components/${component}/${component}.${kind}`);

// `calls` are answered by the test: requestPayment, requestVirtualPayment.
export function startMiniProgram(calls) {
  if (!existsSync(fileOf("vk-uni-pay", "js"))) throw new Error("not built: npm run build:mp-weixin");
  const storage = new Map();
  const sent = [];
  const received = [];
  const pages = [{ route: "pages/index/index" }];
  const files = new Map();
  const album = [];
  const wx = {
    ...calls,
    env: { USER_DATA_PATH: "wxfile://usr" },
    getFileSystemManager: () => ({
      writeFile({ filePath, data, encoding, success }) {
        files.set(filePath, Buffer.from(data, encoding));
        success({});
      },
    }),
    saveImageToPhotosAlbum({ filePath, success }) {
      album.push(files.get(filePath));
      success({});
    },
    showToast() {},
    getSystemInfoSync: () => ({ language: "zh_CN", platform: "ios", SDKVersion: "3.5.0" }),
    getAppBaseInfo: () => ({ language: "zh_CN", SDKVersion: "3.5.0" }),
    getWindowInfo: () => ({ windowWidth: 375, windowHeight: 812, pixelRatio: 2 }),
    getDeviceInfo: () => ({ platform: "ios", system: "iOS 18" }),
    getLaunchOptionsSync: () => ({}),
    getEnterOptionsSync: () => ({}),
    getStorageSync: (key) => storage.get(key) ?? "",
    setStorageSync: (key, value) => storage.set(key, value),
    canIUse: () => true,
    showLoading() {},
    hideLoading() {},
    login: ({ success }) => setTimeout(() => success({ code: `code${Math.random()}`, errMsg: "login:ok" })),
    request({ url, method, data, header, success, fail }) {
      sent.push({ url, method, data: JSON.parse(data) });
      fetch(url, { method, body: data, headers: header }).then(
        async (answer) => {
          const text = await answer.text();
          received.push(text);
          success({ statusCode: answer.status, data: text, header: Object.fromEntries(answer.headers), errMsg: "request:ok" });
        },
        (error) => fail({ errMsg: `request:fail ${error.message}` }),
      );
    },
  };
  for (const name of ["onAppShow", "onAppHide", "onThemeChange", "onError"]) wx[name] ??= () => {};
  let declared;
  const app = {};
  const context = vm.createContext({
    wx, console, setTimeout, clearTimeout, setInterval, clearInterval, Promise,
    App: (options) => Object.assign(app, options),
    Page() {},
    Component: (options) => (declared = options),
    Behavior: (options) => options,
    getApp: () => app,
    getCurrentPages: () => pages,
  });
  context.global = context;
  context.globalThis = context;

  const modules = new Map();
  function load(file) {
    if (modules.has(file)) return modules.get(file).exports;
    const module = { exports: {} };
    modules.set(file, module);
    const require = (name) => load(createRequire(file).resolve(name));
    const source = `(function (module, exports, require) {${readFileSync(file, "utf8")}\n})`;
    vm.runInContext(source, context, { filename: file })(module, module.exports, require);
    return module.exports;
  }

  load(path.join(built, "app.js"));
  app.onLaunch?.({});

  // One instance of a component as WeChat makes it, with its properties as a page's template sets them; `children` are the
  // instances of the components inside of it.
  function mount(component, properties = {}, children = []) {
    load(fileOf(component, "js"));
    const template = readFileSync(fileOf(component, "wxml"), "utf8");
    const events = [];
    const options = declared;
    const instance = {
      ...options.methods,
      is: fileOf(component, "js").slice(built.length + 1, -3),
      data: { ...options.data },
      properties: { uP: "" },
      setData(changes, done) {
        Object.assign(this.data, changes);
        done?.();
      },
      triggerEvent(name, detail) {
        // `__l` is how the compiled component is tied to its parent.
        if (name === "__l") return;
        events.push({ name, detail });
        instance.heard?.(name, detail);
      },
      selectAllComponents: (selector) => (selector === ".r" ? children.map((child) => child.instance) : []),
      selectComponent: () => null,
      createSelectorQuery: () => ({}),
      getPageId: () => 1,
    };
    // Calls what the template binds to an event of the element that has `mark` in its tag.
    function fire(mark, name, detail) {
      const tag = template.match(new RegExp(`[^>]*${mark}[^>]*>`))[0];
      const handler = tag.match(new RegExp(`bind:?${name}="\\{\\{(\\w+)\\}\\}"`));
      if (handler) instance[instance.data[handler[1]]]({ type: name, detail, currentTarget: { dataset: {} }, target: { dataset: {} } });
    }
    for (const { instance: child, tag } of children) {
      child.properties.uR = template.match(new RegExp(`${tag}[^>]* u-r="(\\w+)"`))?.[1];
      child.heard = (event, detail) => fire(tag, event, detail);
    }
    options.lifetimes.created?.call(instance);
    options.lifetimes.attached.call(instance);
    options.lifetimes.ready?.call(instance);
    Object.assign(instance.$vm.$.props, properties);
    return { instance, tag: `<${component} `, vm: instance.$vm, events, fire, detach: () => options.lifetimes.detached.call(instance) };
  }
  const vkPay = load(path.join(built, "uni_modules/paybundle-cashier/js_sdk/vk-pay.js")).vkPay;
  return { mount, sent, received, pages, album, vkPay };
}
