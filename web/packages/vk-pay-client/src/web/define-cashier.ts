import { VkCashier } from './cashier.js';

if (!customElements.get('vk-cashier')) customElements.define('vk-cashier', VkCashier);

export type { VkCashier };

declare global {
  interface HTMLElementTagNameMap {
    'vk-cashier': VkCashier;
  }
}
